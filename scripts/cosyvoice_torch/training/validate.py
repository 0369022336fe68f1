"""What is wrong with a corpus: one reason per utterance that cannot be used, and a report on the rest."""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SHORTEST, LONGEST = 0.2, 30.0  # seconds; the speech tokenizer takes no more
MARKUP = re.compile(r"<(?!\|)[^<>]*>")  # the tokenizer's own tags are <|...|>
FASTEST, SLOWEST = 30.0, 3.0  # characters a second, of texts of at least ten


def reason_to_drop(entry: dict[str, Any]) -> str | None:
    """Why the utterance cannot be trained on, by its text and length; None if it can."""
    text = entry["text"]
    if not re.search(r"\w", text):
        return "no words"
    if re.search(r"[{}]", text):
        return "variable in the text"
    if MARKUP.search(text):
        return "markup in the text"
    if text.lstrip().startswith("#"):
        return "text starts with #"
    if entry["seconds"] < SHORTEST:
        return f"shorter than {SHORTEST} s"
    if entry["seconds"] > LONGEST:
        return f"longer than {LONGEST:.0f} s"
    return None


@dataclass
class Report:
    utterances: int = 0
    hours: float = 0.0
    splits: dict[str, int] = field(default_factory=dict)
    speakers: dict[str, int] = field(default_factory=dict)
    rates: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)  # quantiles
    characters_per_second: dict[str, float] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)  # what -> ids

    def add(self, problem: str, name: str) -> None:
        self.problems.setdefault(problem, []).append(name)

    @property
    def fatal(self) -> list[str]:
        return [problem for problem in self.problems if problem.startswith("!")]

    def text(self) -> str:
        return json.dumps(self.__dict__, indent=1, ensure_ascii=False) + "\n"


def quantiles(values: list[float]) -> dict[str, float]:
    names = ("min", "5 %", "median", "95 %", "max")
    return {name: round(float(np.quantile(values, q)), 3) for name, q in zip(names, (0, 0.05, 0.5, 0.95, 1), strict=True)} if values else {}


def normal(text: str) -> str:
    return re.sub(r"\W", "", text.lower())


def validate(folder: Path, entries: list[dict[str, Any]], listen: bool = True) -> Report:
    """Check a manifest, and with `listen` every file of it. Problems that forbid training start with "!"."""
    report = Report(len(entries), round(sum(entry["seconds"] for entry in entries) / 3600, 3))
    report.splits = dict(Counter(entry["split"] for entry in entries))
    report.speakers = dict(Counter(entry["speaker"] for entry in entries))
    report.rates = dict(Counter(str(entry["rate"]) for entry in entries))
    report.seconds = quantiles([entry["seconds"] for entry in entries])
    speed = lambda entry: len(entry["text"]) / max(entry["seconds"], 1e-3) if len(entry["text"]) >= 10 else None
    report.characters_per_second = quantiles([s for s in map(speed, entries) if s is not None])
    splits: dict[str, set[str]] = {}
    ids: Counter = Counter(entry["id"] for entry in entries)
    texts: Counter = Counter(normal(entry["text"]) for entry in entries)
    for entry in entries:
        splits.setdefault(normal(entry["text"]), set()).add(entry["split"])
    for entry in entries:
        name = entry["id"]
        if reason := reason_to_drop(entry):
            report.add(f"! {reason}", name)
        if ids[name] > 1:
            report.add("! id used twice", name)
        if len(splits[normal(entry["text"])]) > 1:
            report.add("! same text in two splits", name)
        elif texts[normal(entry["text"])] > 1:
            report.add("same text twice", name)
        if (spoken := speed(entry)) is not None and not SLOWEST <= spoken <= FASTEST:
            report.add("text and sound do not fit (characters a second)", name)
        if entry["channels"] > 1:
            report.add("several channels, mixed down", name)
        if entry["rate"] < 16000:
            report.add("sample rate below 16 kHz", name)
        if listen:
            _listen(folder, entry, report)
    return report


def _listen(folder: Path, entry: dict[str, Any], report: Report) -> None:
    import soundfile

    name, path = entry["id"], folder / entry["wav"]
    if not path.exists():
        report.add("! file is missing", name)
        return
    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        report.add("! file cannot be read", name)
        return
    audio = audio.mean(1)
    if abs(len(audio) / rate - entry["seconds"]) > 0.01:
        report.add("! length is not the manifest's", name)
    if not len(audio) or np.abs(audio).max() < 1e-3:
        report.add("! silent", name)
        return
    if (np.abs(audio) >= 0.999).sum() > 3:
        report.add("clipped", name)
    if abs(float(audio.mean())) > 0.01:
        report.add("constant offset", name)
    loud = np.flatnonzero(np.abs(audio) > 0.02 * np.abs(audio).max())
    if loud[0] / rate > 1.0:
        report.add("more than 1 s of silence before the speech", name)
    if (len(audio) - loud[-1]) / rate > 1.0:
        report.add("more than 1 s of silence after the speech", name)
    loudness = 20 * np.log10(np.sqrt((audio.astype(np.float64) ** 2).mean()))
    if not -40 < loudness < -10:
        report.add("very soft or very loud", name)
