"""
The whole way from nothing to a release in a given time, the trainings side by side: corpus, features, tokenizer, speaker encoder and
vocoder, then codes and vectors, then language model and flow. Each runs as a process of its own, as it would by hand, and its log is
`make/<what>.log`. It begins a run; one that was begun goes on with the other commands.

How many updates there is time for is measured: a training runs for a while, is stopped, and goes on with as many as fit, so that its
learning rate has fallen to zero when the time is up. With `first` hours of speech the trainings begin while the corpus still grows.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .run import Run

START_UP = 15.0
"""Seconds until a training that goes on is at work again."""
MANY = 1_000_000
"""Updates of a training whose pace is not known yet: its rate does not fall."""
SHARE = 0.3
"""Of the time, until the tokenizer has to be ready."""


class Failed(Exception):
    """A step ended with an error; the message names its log."""


class Steps:
    """Starts the other commands of this program. `say` gets one line when something begins or ends."""

    def __init__(self, run: Run, recipe: Path, wordnet: Path | None, processes: int, say: Callable[[str], None]):
        self.run, self.recipe, self.say = run, recipe, say
        self.wordnet = ["--wordnet", str(wordnet)] if wordnet else []
        self.processes = processes or os.cpu_count() or 1
        self.logs = run.path("make")
        self.logs.mkdir(exist_ok=True)
        self.running: list[subprocess.Popen] = []

    def start(self, what: str, *arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "cosyvoice_torch", *map(str, arguments), "--run", str(self.run.folder)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with (self.logs / f"{what}.log").open("a") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        self.running.append(process)
        return process

    def end(self) -> None:
        """Nothing of it goes on alone."""
        alive = [process for process in self.running if process.poll() is None]
        for process in alive:
            process.send_signal(signal.SIGTERM)
        for process in alive:
            process.wait()

    def _end_of(self, what: str, process: subprocess.Popen, *fine: int) -> None:
        if process.wait() not in fine:
            raise Failed(f"{what} failed (exit {process.returncode}): see {self.logs / what}.log")

    def wait(self, what: str, process: subprocess.Popen) -> None:
        self._end_of(what, process, 0)
        self.say(f"{what}: done")

    def corpus(self, hours: float, processes: int) -> None:
        """Sentences, speech and features, so many hours of them."""
        recipe = ["--recipe", self.recipe, "--processes", processes]
        self.wait("corpus", self.start("corpus", "corpus", *recipe, *self.wordnet, *(["--hours", hours] if hours else [])))
        self.wait("features", self.start("features", "features", "--processes", processes))

    def train(self, what: str, updates: int = 0) -> subprocess.Popen:
        self.say(f"{what}: trains" + (f" to update {updates}" if updates not in (0, MANY) else ""))
        return self.start(what, "train", what, "--recipe", self.recipe, *(["--updates", updates] if updates else []))

    def stop(self, what: str, process: subprocess.Popen) -> None:
        """Ask it to save and end. Who has not begun to train has nothing to save."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        self._end_of(what, process, 0, -signal.SIGTERM)

    def paced(self, what: str, process: subprocess.Popen, until: float) -> subprocess.Popen:
        """The same training, to end at `until` (seconds of the clock); one that has ended stays as it is."""
        if process.poll() == 0:
            return process
        self.stop(what, process)
        return self.train(what, fitting(pace(self.run.path(what, "metrics.jsonl")), until - time.time()))

    def ended(self, what: str, process: subprocess.Popen, until: float) -> None:
        """Wait for it, and stop it where its pace was misjudged."""
        while process.poll() is None and time.time() < until:
            time.sleep(1)
        self.stop(what, process)
        self.say(f"{what}: done")


def pace(metrics: Path, seconds: float = 60.0) -> tuple[int, float]:
    """(update, updates a second) of a training over the last `seconds` it was at work, pauses for validation included."""
    seen: list[tuple[float, int]] = []
    if metrics.exists():
        with metrics.open() as f:
            lines = [json.loads(line) for line in f if line.endswith("\n")]
        seen = [(line["t"], line["update"]) for line in lines if line["key"] == "updates_per_second"]
    recent = [one for i, one in enumerate(seen) if one[0] > seen[-1][0] - seconds or i >= len(seen) - 2]
    if len(recent) < 2:
        return (seen[-1][1] if seen else 0), 0.0
    return recent[-1][1], (recent[-1][1] - recent[0][1]) / max(recent[-1][0] - recent[0][0], 1e-9)


def fitting(measured: tuple[int, float], left: float) -> int:
    """The update to train to in the seconds that are left, with a little time to spare; at least some more, and MANY at an unknown pace."""
    update, rate = measured
    if not rate:
        return MANY
    return update + max(100, int(0.95 * rate * max(0.0, left - START_UP)))


def make(steps: Steps, minutes: float, first: float = 0.0, watch: float = 75.0) -> None:
    """
    All trainings of a voice in so many minutes, the speaking of the corpus included. `first`: hours of speech with which to begin;
    `watch`: seconds for which a pace is measured. @raises Failed
    """
    if steps.run.path("tokenizer", "stage.json").exists():
        raise Failed(f"{steps.run.folder}: this run has begun already; go on with its trainings one by one, or name another folder")
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _make(steps, minutes, first, watch)
    finally:
        steps.end()
        signal.signal(signal.SIGTERM, before)


def _make(steps: Steps, minutes: float, first: float, watch: float) -> None:
    begun = time.time()
    end, cores = begun + 60 * minutes, steps.processes
    steps.corpus(first, cores)
    jobs = {what: steps.train(what, 0 if what == "speaker" else MANY) for what in ("tokenizer", "vocoder", "speaker")}
    watched = time.time() + watch
    if first:
        steps.corpus(0, max(1, cores - 3))
    spelling = steps.start("spelling", "spelling", *steps.wordnet, "--processes", max(1, cores - 5))
    time.sleep(max(0.0, watched - time.time()))
    if first:
        for what in ("vocoder", "speaker"):  # they go on with all of it
            steps.stop(what, jobs[what])
            jobs[what] = steps.train(what, MANY if what == "vocoder" else 0)
    jobs["tokenizer"] = steps.paced("tokenizer", jobs["tokenizer"], max(begun + SHARE * 60 * minutes, time.time() + watch))
    steps.wait("speaker", jobs["speaker"])
    embed = steps.start("embed", "embed", "--processes", max(1, cores // 3))
    steps.ended("tokenizer", jobs["tokenizer"], begun + SHARE * 60 * minutes + 2 * watch)
    steps.wait("spelling", spelling)
    steps.wait("encode", steps.start("encode", "encode", "--processes", max(1, cores // 3)))
    steps.wait("embed", embed)
    jobs |= {what: steps.train(what, MANY) for what in ("lm", "flow")}
    last = ("lm", "flow", "vocoder")
    time.sleep(watch)
    while end - time.time() > 6 * watch:  # paces change when another training ends or begins to be judged
        for what in last:
            jobs[what] = steps.paced(what, jobs[what], end)
        time.sleep(max(0.0, (end - time.time()) / 2))
    for what in last:
        jobs[what] = steps.paced(what, jobs[what], end)
    for what in last:
        steps.ended(what, jobs[what], end + watch)
