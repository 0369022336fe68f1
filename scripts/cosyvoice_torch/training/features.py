"""The features stage: what trainings read, computed once per utterance.

| field | shape | what |
| --- | --- | --- |
| mel | [T, 80] f16 | log-mel of the flow and the vocoder, 24 kHz, 50 frames a second |
| audio | [480 T] i16 | 24 kHz |
| f0 | [T] f32 | Hz, 0 where unvoiced: the teacher's, or YIN |
| whisper | [2 T, 128] f16 | log-mel of the speech tokenizer, 16 kHz, 100 frames a second |

T is even: two mel frames to a speech token. `index.jsonl` and `phonemes.json` are described in data.py.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..features import mel24k, resample, whisper_mel
from .corpus import TOKEN, read_manifest
from .metrics import Report
from .pitch import at_mel_frames, yin
from .run import Run, Stage, write_atomically
from .shards import Shards, write_shard_as
from .spread import spread

PIECE, RATE = 500, 24000
BLANK = "_"


def read_audio(path: Path) -> Tensor:
    """[N] at 24 kHz, mixed down, a whole number of speech tokens long (up to 40 ms are cut off)."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    audio = resample(torch.from_numpy(samples).mean(1), rate, RATE)
    return audio[: len(audio) // TOKEN * TOKEN]


def extract(audio: Tensor, f0: Tensor | None) -> dict[str, Tensor]:
    """All fields of one utterance; `f0`: the teacher's, one value per 300 samples."""
    rounded = (audio * 32768).round().clamp(-32768, 32767).to(torch.int16)
    mel = mel24k(audio)
    low = resample(audio, RATE, 16000)
    return {
        "mel": mel.half(),
        "audio": rounded,
        "f0": at_mel_frames(f0, len(mel)) if f0 is not None else yin(audio),
        "whisper": whisper_mel(low).T.half(),
    }


def phonemes_of(entry: dict[str, Any]) -> str:
    """The teacher's symbols; letters where there was no teacher."""
    return entry.get("phonemes") or "".join(c for c in entry["text"].lower() if c.isalpha() or c == "'")


def extract_piece(folder: Path, corpus: Path, number: int, entries: list[dict[str, Any]]) -> int:
    """One shard of every field, and then its lines of the index."""
    torch.set_num_threads(1)
    pitch = Shards(corpus, ["f0"])
    tensors: dict[str, dict[str, Tensor]] = {}
    lines = []
    for entry in entries:
        name = entry["id"]
        with torch.inference_mode():
            made = extract(read_audio(corpus / entry["wav"]), pitch.get("f0", name) if pitch.has("f0", name) else None)
        for field, value in made.items():
            tensors.setdefault(field, {})[name] = value
        line = {key: entry.get(key) for key in ("id", "split", "speaker", "kind", "text", "sha256")}
        line |= {"phonemes": phonemes_of(entry), "seconds": len(made["audio"]) / RATE, "frames": len(made["mel"])}
        lines.append(json.dumps(line, ensure_ascii=False))
    for field, values in tensors.items():
        write_shard_as(folder / field / f"{number:05d}.safetensors", values)
    write_atomically(folder / "pieces" / f"{number:05d}.jsonl", "\n".join(lines) + "\n")
    return len(lines)


def make_features(run: Run, processes: int = 0, restart: bool = False) -> Stage:
    """Features of every utterance of the corpus that has none yet, or has other sound now."""
    corpus = Stage.existing(run, "corpus")
    stage = Stage(run, "features", {"mel": "24 kHz, 80", "whisper": "16 kHz, 128"}, [corpus])
    if stage.done() and not restart:
        return stage
    stage.begin(restart)
    pieces = stage.folder / "pieces"
    entries = read_manifest(corpus.folder / "manifest.jsonl")
    made_of = {line["id"]: line.get("sha256") for path in sorted(pieces.glob("*.jsonl")) for line in read_manifest(path)}
    # A corpus made anew has the same ids for the same sentences. Pieces without hashes are from before they were kept.
    ready = {entry["id"] for entry in entries if entry["id"] in made_of and made_of[entry["id"]] in (None, entry.get("sha256"))}
    todo = [entry for entry in entries if entry["id"] not in ready]
    first = 1 + max((int(path.stem) for path in pieces.glob("*.jsonl")), default=-1)
    jobs = [(stage.folder, corpus.folder, first + i, todo[i * PIECE : (i + 1) * PIECE]) for i in range(-(-len(todo) // PIECE))]
    workers = processes or os.cpu_count() or 1
    done = len(ready)
    with Report("features (utterances)", len(entries), done) as report:
        for count in spread(extract_piece, jobs, workers):
            done += count
            report.at(done)
            report.line(done, {}, "")
    return finish(stage, entries)


def finish(stage: Stage, entries: list[dict[str, Any]]) -> Stage:
    """The index of what the manifest still lists, in its order, and the symbols; known symbols keep their numbers."""
    lines = {line["id"]: line for path in sorted((stage.folder / "pieces").glob("*.jsonl")) for line in read_manifest(path)}
    kept = [lines[entry["id"]] | {"split": entry["split"]} for entry in entries]
    path = stage.folder / "phonemes.json"
    symbols = json.loads(path.read_text()) if path.exists() else [BLANK]
    symbols += sorted({symbol for line in kept for symbol in line["phonemes"]} - set(symbols))
    write_atomically(path, json.dumps(symbols, ensure_ascii=False) + "\n")
    write_atomically(stage.folder / "index.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))
    stage.finish({"utterances": len(kept), "hours": round(sum(line["seconds"] for line in kept) / 3600, 3), "symbols": len(symbols)})
    return stage
