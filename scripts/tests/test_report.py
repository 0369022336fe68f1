import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from cosyvoice_torch.training.metrics import Metrics
from cosyvoice_torch.training.report import MOST_POINTS, curves_of, table, thinned, write_report
from cosyvoice_torch.training.run import Run, Stage


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    stage = Stage(Run(folder), "lm", {"layers": 2, "note": "<script>alert(1)</script> https://example.org/x"})
    stage.begin()
    stage.finish({"updates": 40, "best": {"score": 1.77}})
    metrics = Metrics(stage.folder / "metrics.jsonl")
    for update in range(0, 40, 2):
        metrics.write(update, 0.1, "train", {"loss": 3 - update / 20, "lr": 1e-3})
        metrics.write(update, 0.1, "valid", {"loss": 3.1 - update / 20, "uni_loss": float("nan")})
    (folder / "samples" / "lm").mkdir(parents=True)
    soundfile.write(folder / "samples" / "lm" / "hello.wav", np.sin(np.arange(12000) / 9), 24000)
    (folder / "samples" / "lm" / "hello.txt").write_text("Hello & welcome.")
    (folder / "figures.json").write_text(json.dumps([{"title": "Word errors", "columns": ["chain", "%"], "rows": [["teacher", 1.5]]}]))
    return folder


class Checker(HTMLParser):
    """Collects addresses, and ids to see that none occurs twice; counts what must be balanced."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses, self.ids, self.tags, self.scripts = [], [], [], 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.scripts += tag in ("script", "link", "iframe")
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action", "data"):
                self.addresses.append(value)
            if name == "id":
                self.ids.append(value)


def test_the_report_is_one_file_that_needs_no_network(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hunter2-hunter2")
    text = write_report(run, tmp_path / "report.html", "A voice").read_text()
    page = Checker()
    page.feed(text)
    assert page.scripts == 0
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "://" not in text
    assert "hunter2" not in text and str(tmp_path) not in text and os.environ["PATH"] not in text
    assert page.tags.count("svg") == 1 and page.tags.count("audio") == 1 and page.tags.count("img") == 1
    assert len(page.ids) == len(set(page.ids))


def test_it_says_what_was_made(run: Path, tmp_path: Path):
    text = write_report(run, tmp_path / "report.html").read_text()
    for piece in ("Word errors", "1.5", "lm/hello", "Hello &amp; welcome.", "0.50 s, 24000 Hz", "best.score", "1.77", "&lt;script&gt;"):
        assert piece in text
    assert re.search(r"<title>run</title>", text)


def test_curves_leave_out_what_is_not_a_number_and_end_with_the_loop_s():
    point = lambda key, split, update, value: {"key": key, "split": split, "update": update, "value": value}
    lines = [point("lr", "train", 1, 0.1), point("accuracy", "valid", 1, 0.5), point("loss", "train", 1, float("nan"))]
    lines += [point("loss", "train", 2, 3.0), point("loss", "valid", 2, 4.0)]
    curves = curves_of(lines)
    assert list(curves) == ["loss", "accuracy", "lr"]
    assert curves["loss"] == {"train": [(2, 3.0)], "valid": [(2, 4.0)]}


def test_long_curves_are_averaged():
    points = [(i, float(i % 2)) for i in range(10 * MOST_POINTS)]
    thin = thinned(points)
    assert len(thin) == MOST_POINTS and np.allclose(thin[:, 1], 0.5)
    assert thinned([(1, 2.0)]).tolist() == [[1, 2.0]]


def test_cells_are_escaped():
    assert table(["<a>"], [["x&y", 12345, 0.123456789]]) == (
        '<table><tr><th>&lt;a&gt;</th></tr><tr><td>x&amp;y</td><td class="number">12,345</td><td class="number">0.12346</td></tr></table>'
    )


def test_figures_of_another_form_are_refused(run: Path, tmp_path: Path):
    (run / "figures.json").write_text('{"first": {}}')
    with pytest.raises(ValueError, match=r"figures.json: must be a list of \{title, columns, rows\}, not of the type dict"):
        write_report(run, tmp_path / "report.html")


def test_an_empty_folder_is_said_so(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="neither"):
        write_report(tmp_path, tmp_path / "report.html")
