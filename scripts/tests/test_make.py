"""Everything in a given time: how a pace becomes a number of updates, and what happens when a step fails."""

import json
import subprocess
import sys

import pytest
from cosyvoice_torch.training.make import MANY, Failed, Steps, fitting, make, pace
from cosyvoice_torch.training.run import Run


def logged(path, points):
    rows = [{"t": t, "update": update, "key": key, "value": 1.0} for t, update in points for key in ("loss", "updates_per_second")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"t": 1, "upd')  # a line that is being written


def test_a_pace_is_of_the_last_minute(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert pace(path) == (0, 0.0)
    logged(path, [(0, 20), (10, 40), (1000, 60), (1010, 160), (1040, 460)])
    assert pace(path) == (460, 10.0)
    logged(path, [(0, 20), (80, 40)])  # slower than a line a minute
    assert pace(path) == (40, 0.25)
    logged(path, [(0, 20)])
    assert pace(path) == (20, 0.0)


def test_as_many_updates_as_fit_with_a_little_to_spare():
    assert fitting((460, 10.0), 115) == 460 + 950
    assert fitting((460, 10.0), -5) == 560 and fitting((460, 0.0), 115) == MANY


def test_a_step_that_fails_is_named_with_its_log(tmp_path):
    said = []
    steps = Steps(Run(tmp_path / "run"), tmp_path / "none.toml", tmp_path / "no-wordnet", 1, said.append)
    with pytest.raises(Failed, match=r"corpus failed \(exit 1\): see .*make.corpus\.log"):
        steps.corpus(1, 1)
    assert "none.toml" in (tmp_path / "run" / "make" / "corpus.log").read_text() and said == []


def test_a_training_is_stopped_and_goes_on_with_what_fits(tmp_path, monkeypatch):
    steps = Steps(Run(tmp_path / "run"), tmp_path / "recipe.toml", None, 1, lambda line: None)
    started = []
    real = steps.start
    monkeypatch.setattr("cosyvoice_torch.training.make.time.time", lambda: 100.0)

    def start(what, *arguments):
        started.append(arguments)
        monkeypatch.setattr(sys, "executable", "/bin/sleep")
        return real(what, *arguments)

    steps.start = start
    steps.run.path("lm").mkdir()
    logged(steps.run.path("lm", "metrics.jsonl"), [(0, 100), (50, 200)])

    class Saved:
        returncode = 0
        asked = []
        poll = lambda self: None
        send_signal = lambda self, number: self.asked.append(number)
        wait = lambda self: 0

    steps.paced("lm", Saved(), 215.0)
    assert len(Saved.asked) == 1 and started[0][-2:] == ("--updates", 200 + 190)

    class Done(Saved):
        poll = lambda self: 0

    done = Done()
    assert steps.paced("lm", done, 215.0) is done and len(Saved.asked) == len(started) == 1


def test_a_run_that_has_begun_is_left_alone_and_nothing_runs_on_after_a_failure(tmp_path, monkeypatch):
    steps = Steps(Run(tmp_path / "run"), tmp_path / "none.toml", tmp_path / "no-wordnet", 1, lambda line: None)
    other = subprocess.Popen(["sleep", "60"])
    steps.running.append(other)
    with pytest.raises(Failed, match="corpus failed"):
        make(steps, 1)
    assert other.poll() is not None
    (steps.run.path("tokenizer")).mkdir()
    (steps.run.path("tokenizer", "stage.json")).write_text("{}")
    with pytest.raises(Failed, match="has begun already"):
        make(steps, 1)
