"""The corpus stage: sentences, spoken by the teacher, trimmed and levelled, with a manifest.

Sentences come in one fixed order and are spoken in pieces of PIECE; a finished piece is never made again, so a corpus can be
interrupted, and grown later by asking for more hours. Layout: `wav/<piece>/<id>.wav`, `pieces/<piece>.jsonl`,
`f0/<piece>.safetensors` (the teacher's pitch, one value per 300 samples) and, of all pieces together, `manifest.jsonl`.
"""

import hashlib
import json
import multiprocessing
import os
import random
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import utterances, wordnet
from .run import Run, Stage, write_atomically
from .teachers import dealt, teacher
from .unpredictable import unpredictable
from .validate import reason_to_drop

PIECE, RATE, F0_HOP = 500, 24000, 300
LEVEL, PEAK = 0.08, 0.95
BEFORE, AFTER = 0.05, 0.10  # seconds of silence kept around the speech
TOKEN = 960  # samples of one speech token: lengths are whole tokens


@dataclass
class CorpusSettings:
    teacher: str = "hibari"  # or several with their shares: see teachers.py
    hours: float = 20.0  # stop after the piece that reaches this
    valid: int = 300
    test: int = 300  # held-out WordNet sentences, for judging alone
    numbers: int = 300
    short: int = 1000
    min_words: int = 4
    max_words: int = 20
    seed: int = 0
    exclude: tuple[str, ...] = field(default_factory=tuple)  # files of sentences that must not occur
    sentences: str = ""  # a file with one sentence per line in place of WordNet


def plan(settings: CorpusSettings, folder: Path | None) -> list[dict[str, str]]:
    """All sentences in the order of speaking: {id, split, kind, text}. No two have the same letters."""
    s, rng = settings, random.Random(settings.seed)
    barred = {wordnet.key(line) for path in s.exclude for line in Path(path).read_text(encoding="utf8").splitlines()} - {""}
    extra: list[str] = []
    if s.sentences:
        lines = [wordnet.sentence(line) for line in Path(s.sentences).read_text(encoding="utf8").splitlines() if line.strip()]
        kinds = {"wordnet": list({wordnet.key(line): line for line in lines}.values())}
    else:
        where = wordnet.find(folder)
        found = wordnet.synsets(where)
        frequency = wordnet.frequencies(where)
        kinds = {
            "wordnet": wordnet.examples(found, s.min_words, s.max_words),
            "numbers": utterances.numbers_and_names(s.numbers, s.seed),
            "short": utterances.short(s.short, found, frequency),
        }
        known = [text for texts in kinds.values() for text in texts]
        nonsense = unpredictable(found, known, frequency, where, 20000, s.seed)
        told = wordnet.for_vocabulary(found, known + nonsense, frequency, s.seed)
        extra = [text for pair in zip(nonsense, told, strict=False) for text in pair] + told[len(nonsense) :]
    seen = set(barred)
    rows: list[dict[str, str]] = []
    for kind, texts in (*kinds.items(), ("vocabulary", extra)):
        fresh = [text for text in texts if wordnet.key(text) not in seen and not seen.add(wordnet.key(text))]
        held = {}
        if kind == "wordnet":
            order = rng.sample(fresh, len(fresh))
            held = dict.fromkeys(order[: s.test], "test") | dict.fromkeys(order[s.test : s.test + s.valid], "valid")
        rows += [{"id": identity(text), "split": held.get(text, "train"), "kind": kind, "text": text} for text in fresh]
    base = [row for row in rows if row["kind"] != "vocabulary"]
    rng.shuffle(base)
    base.sort(key=lambda row: row["split"] == "train")  # held-out sentences come first, so that any size of corpus has them
    return base + [row for row in rows if row["kind"] == "vocabulary"]


def identity(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()[:12]


def trim(audio: np.ndarray) -> tuple[int, int]:
    """(start, end) in samples: the speech with BEFORE and AFTER around it; the start is a whole pitch frame, the length whole tokens."""
    frames = audio[: len(audio) // F0_HOP * F0_HOP].reshape(-1, F0_HOP)
    energy = np.sqrt((frames.astype(np.float64) ** 2).mean(1))
    loud = np.flatnonzero(energy > max(0.01 * energy.max(initial=0), 1e-4))
    if not len(loud):
        return 0, 0
    start = max(0, loud[0] - round(BEFORE * RATE / F0_HOP)) * F0_HOP
    end = min(len(audio), int((loud[-1] + 1) * F0_HOP + AFTER * RATE))
    return start, start + -(-(end - start) // TOKEN) * TOKEN


def level(audio: np.ndarray) -> np.ndarray:
    """Speech at the same loudness in every file: root mean square LEVEL over the frames that hold it, peak at most PEAK."""
    frames = audio[: len(audio) // F0_HOP * F0_HOP].reshape(-1, F0_HOP)
    energy = (frames.astype(np.float64) ** 2).mean(1)
    active = energy[energy > 1e-3 * energy.max()]
    gain = LEVEL / np.sqrt(active.mean())
    return audio * min(gain, PEAK / np.abs(audio).max())


def speak_piece(folder: Path, number: int, rows: list[dict[str, str]], name: str) -> int:
    """Make one piece, whole or not at all; the number of utterances in it. `name`: the teacher, or several."""
    import soundfile
    import torch

    from .shards import write_shard_as

    torch.set_num_threads(1)
    wavs = folder / "wav" / f"{number:05d}"
    wavs.mkdir(parents=True, exist_ok=True)
    lines, pitch = [], {}
    for row in rows:
        speaker = dealt(name, row["id"])
        spoken = teacher(speaker).speak(row["text"])
        start, end = trim(spoken.audio if spoken.timed_by is None else spoken.timed_by)
        path = wavs / f"{row['id']}.wav"
        entry = {**row, "speaker": speaker, "wav": path.relative_to(folder).as_posix(), "language": "en", "phonemes": spoken.phonemes}
        entry |= {"rate": RATE, "channels": 1, "seconds": (end - start) / RATE}
        entry["drop"] = reason_to_drop(entry) or ("silent" if end == start else None)
        if not entry["drop"]:
            audio = np.zeros(end - start, np.float32)
            kept = spoken.audio[start:end]
            audio[: len(kept)] = kept
            soundfile.write(path, (level(audio) * 32767).round().astype(np.int16), RATE)
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            if spoken.f0 is not None:
                pitch[row["id"]] = torch.from_numpy(spoken.f0[start // F0_HOP : -(-end // F0_HOP)].copy())
        lines.append(json.dumps(entry, ensure_ascii=False))
    write_shard_as(folder / "f0" / f"{number:05d}.safetensors", pitch)
    write_atomically(folder / "pieces" / f"{number:05d}.jsonl", "\n".join(lines) + "\n")
    return len(rows)


def read_manifest(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf8") as f:
        return [json.loads(line) for line in f]


def make_corpus(run: Run, settings: CorpusSettings, folder: Path | None, processes: int = 0, restart: bool = False) -> Stage:
    """Speak until the corpus has its hours; skip what is there."""
    stage = Stage(run, "corpus", settings, grows=("hours",))
    if stage.done() and not restart:
        return stage
    stage.begin(restart)
    rows = plan(settings, folder)
    pieces = [rows[i : i + PIECE] for i in range(0, len(rows), PIECE)]
    made = stage.folder / "pieces"

    def hours_of(number: int) -> float:
        return sum(entry["seconds"] for entry in read_manifest(made / f"{number:05d}.jsonl") if not entry["drop"]) / 3600

    from .metrics import Report

    total, ready = 0.0, 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes or os.cpu_count() or 1, mp_context=context) as pool, Report("corpus (hours)", round(settings.hours)) as report:
        for group in _groups(len(pieces), processes or os.cpu_count() or 1):
            absent = [n for n in group if not (made / f"{n:05d}.jsonl").exists()]
            list(pool.map(speak_piece, *zip(*((stage.folder, n, pieces[n], settings.teacher) for n in absent), strict=True)) if absent else ())
            for number in group:
                if total < settings.hours:
                    total, ready = total + hours_of(number), number + 1
            report.at(round(total))
            if absent:
                write_manifest(stage, [entry for n in range(ready) for entry in read_manifest(made / f"{n:05d}.jsonl")])
                report.line(round(total, 2), {}, f"piece {ready} of at most {len(pieces)}")
            if total >= settings.hours:
                break
    sources = {} if settings.sentences else {"wordnet_sha256": wordnet.files_hash(wordnet.find(folder))}
    stage.finish(sources | write_manifest(stage, [entry for n in range(ready) for entry in read_manifest(made / f"{n:05d}.jsonl")]))
    return stage


def _groups(count: int, size: int) -> Iterator[range]:
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


def write_manifest(stage: Stage, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the manifest of what is kept and the list of what is not; the counts. Features can be made of an unfinished corpus."""
    kept = [entry for entry in entries if not entry["drop"]]
    dropped = [entry for entry in entries if entry["drop"]]
    as_lines = lambda rows: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_atomically(stage.folder / "manifest.jsonl", as_lines(kept))
    write_atomically(stage.folder / "dropped.jsonl", as_lines(dropped))
    splits = {split: sum(entry["split"] == split for entry in kept) for split in ("train", "valid", "test")}
    hours = round(sum(entry["seconds"] for entry in kept) / 3600, 3)
    kinds = {kind: sum(entry.get("kind") == kind for entry in kept) for kind in sorted({entry.get("kind", "") for entry in kept})}
    counts = {"utterances": len(kept), "dropped": len(dropped), "hours": hours, "splits": splits, "kinds": kinds}
    stage.progress(counts)
    return counts
