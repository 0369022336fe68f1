"""Recordings that exist already, as the corpus stage of a run: a Kaldi folder, or sound files with their text beside them.

Nothing is copied or changed: the manifest refers to the files where they lie.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .corpus import write_manifest
from .run import Run, Stage
from .validate import normal, reason_to_drop

SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
TEXTS = (".lab", ".txt", ".normalized.txt")


@dataclass
class ImportSettings:
    source: str = ""
    speaker: str = ""  # where the folder does not tell
    language: str = "en"
    valid: float = 0.02  # shares of the texts
    test: float = 0.02
    seed: int = 0


def read_table(path: Path) -> dict[str, str]:
    """A Kaldi table: the first word of a line is the key, the rest the value, blanks in it kept."""
    rows = (line.rstrip("\r\n").split(maxsplit=1) for line in path.read_text(encoding="utf8").splitlines() if line.strip())
    return {row[0]: row[1] if len(row) > 1 else "" for row in rows}


def kaldi(folder: Path, speaker: str) -> Iterator[tuple[str, Path, str, str]]:
    """(id, file, text, speaker) from wav.scp, text and, if there, utt2spk. Raises ValueError at a piped command."""
    text = read_table(folder / "text")
    of = read_table(folder / "utt2spk") if (folder / "utt2spk").exists() else {}
    for name, value in read_table(folder / "wav.scp").items():
        if value.endswith("|"):
            raise ValueError(f"{folder / 'wav.scp'}: {name} is a command; only files can be read")
        path = Path(value)
        yield name, path if path.is_absolute() else folder / path, text.get(name, ""), of.get(name) or speaker or "speaker"


def pairs(folder: Path, speaker: str) -> Iterator[tuple[str, Path, str, str]]:
    """(id, file, text, speaker) of every sound with a text of the same name, in all subfolders; the speaker is the subfolder."""
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SOUNDS):
        texts = [path.with_name(path.stem + suffix) for suffix in TEXTS]
        text = next((t.read_text(encoding="utf-8-sig").strip() for t in texts if t.exists()), "")
        inside = path.relative_to(folder)
        yield inside.with_suffix("").as_posix().replace("/", "_"), path, text, speaker or inside.parent.as_posix().strip(".") or folder.name


def splits(texts: list[str], valid: float, test: float, seed: int) -> list[str]:
    """A split for each text: equal texts share one, and shares are of different texts."""
    distinct = sorted(set(map(normal, texts)))
    random.Random(seed).shuffle(distinct)
    held_test, held_valid = round(test * len(distinct)), round(valid * len(distinct))
    held = dict.fromkeys(distinct[:held_test], "test") | dict.fromkeys(distinct[held_test : held_test + held_valid], "valid")
    return [held.get(normal(text), "train") for text in texts]


def import_corpus(run: Run, settings: ImportSettings, restart: bool = False) -> Stage:
    """Make the manifest of a folder; what cannot be trained on is listed with its reason in dropped.jsonl."""
    import soundfile

    folder = Path(settings.source).resolve()
    stage = Stage(run, "corpus", settings)
    if stage.done() and not restart:
        return stage
    stage.begin(restart)
    rows = list((kaldi if (folder / "wav.scp").exists() else pairs)(folder, settings.speaker))
    if not rows:
        raise FileNotFoundError(f"{folder}: neither a wav.scp nor a sound file ({', '.join(SOUNDS)}) in it")
    entries: list[dict[str, Any]] = []
    for (name, path, text, speaker), split in zip(rows, splits([r[2] for r in rows], settings.valid, settings.test, settings.seed), strict=True):
        entry = {"id": name, "split": split, "text": text, "speaker": speaker, "wav": str(path), "language": settings.language}
        try:
            info = soundfile.info(path)
            entry |= {"rate": info.samplerate, "channels": info.channels, "seconds": info.frames / info.samplerate}
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            entry["drop"] = reason_to_drop(entry)
        except (soundfile.LibsndfileError, OSError):
            entry |= {"rate": 0, "channels": 0, "seconds": 0.0, "drop": "file cannot be read"}
        entries.append(entry)
    stage.finish(write_manifest(stage, entries))
    return stage
