"""
The encode stage: speech tokens of the whole corpus, by the trained tokenizer, into shards of `tokens` [S] i32. In a hearing run
the tokenizer is the robust one, which gives the codes of the voice.
"""

import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from ..speech_tokenizer import SpeechTokenizer
from . import robust, tokenizer
from .checkpoints import read_metadata, recorded_best
from .data import Dataset
from .metrics import Report
from .run import Run, Stage
from .shards import Shards, shard_names, write_shard_as

PIECE = 500


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> tuple[SpeechTokenizer, Dataset, dict[str, int]]:
    torch.set_num_threads(1)
    run, data = Run(folder), Dataset(folder / "features", ["whisper"])
    objective = robust.trained(run) if run.path("robust").exists() else tokenizer.trained(run)[0]
    return objective.tokenizer, data, {meta["id"]: i for i, meta in enumerate(data.items)}


@torch.inference_mode()
def encode_piece(folder: Path, number: int, names: list[str]) -> Counter:
    """One shard; how often each code occurs in it. Utterances are batched by length: padding does not change codes."""
    network, data, index = _loaded(folder)
    tokens, made_of, counts = {}, {}, Counter()
    names = sorted(names, key=lambda name: data.items[index[name]]["frames"])
    for start in range(0, len(names), 16):
        group = names[start : start + 16]
        heard = [data[index[name]]["whisper"] for name in group]
        lengths = [len(mel) // 4 for mel in heard]
        padded = [F.pad(mel[: 4 * n], (0, 0, 0, 4 * (max(lengths) - n))) for mel, n in zip(heard, lengths, strict=True)]
        encoded = network.encode(torch.stack(padded).transpose(1, 2).contiguous(), 4 * torch.tensor(lengths))
        ids = network.quantizer.ids(network.quantizer.project_in(encoded))
        for name, row, length in zip(group, ids, lengths, strict=True):
            if sha256 := data.items[index[name]].get("sha256"):
                made_of[name] = sha256
            tokens[name] = row[:length].int()
            counts.update(tokens[name].tolist())
    write_shard_as(folder / "encode" / "tokens" / f"{number:05d}.safetensors", tokens, made_of)
    return counts


def up_to_date(folder: Path, items: list[dict[str, Any]]) -> set[str]:
    """Utterances whose tokens are of the sound they have now; shards without hashes are from before they were kept."""
    made_of: dict[str, str | None] = {}
    for path in sorted(folder.glob("*.safetensors")):
        made_of |= dict.fromkeys(shard_names(path)) | read_metadata(path)
    return {meta["id"] for meta in items if meta["id"] in made_of and (made_of[meta["id"]] or meta.get("sha256")) == meta.get("sha256")}


def encode(run: Run, processes: int = 0, restart: bool = False) -> Stage:
    """Tokens of every utterance that has none yet, or has other sound now; all anew when the tokenizer has changed."""
    features = Stage.existing(run, "features")
    made_by = robust.still_valid(run) if run.path("robust").exists() else Stage.existing(run, "tokenizer")
    best = recorded_best(made_by)
    stage = Stage(run, "encode", {"tokenizer": best["file"], "score": best["score"], "begun": made_by.record["config_hash"]}, [features])
    if stage.done() and not restart:
        return stage
    stale = bool(stage.record) and stage.record["config"] != stage.config
    stage.begin(restart or stale)
    _loaded.cache_clear()  # this process may have encoded before, with another tokenizer or other features
    items = Dataset(features.folder, ["whisper"]).items
    ready = up_to_date(stage.folder / "tokens", items)
    todo = [meta["id"] for meta in items if meta["id"] not in ready]
    first = 1 + max((int(path.stem) for path in (stage.folder / "tokens").glob("*.safetensors")), default=-1)
    jobs = [(run.folder, first + i, todo[i * PIECE : (i + 1) * PIECE]) for i in range(-(-len(todo) // PIECE))]
    workers = processes or os.cpu_count() or 1
    done = len(ready)
    with Report("encode (utterances)", len(items), done) as report:

        def follow(results: Any) -> None:
            nonlocal done
            for counts, job in zip(results, jobs, strict=True):
                done += len(job[2])
                report.at(done)
                report.line(done, {"codes": float(len(counts))})

        if workers == 1 or len(jobs) <= 1:
            follow(map(encode_piece, *zip(*jobs, strict=True)) if jobs else iter(()))
        else:
            with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
                follow(pool.map(encode_piece, *zip(*jobs, strict=True)))
    stage.finish(usage(stage.folder, 3 ** made_by.config["dims"]))
    return stage


def usage(folder: Path, codes: int) -> dict[str, Any]:
    """How the codes are used: how many, their entropy, and how often one follows itself."""
    shards = Shards(folder, ["tokens"])
    count, repeats, total = np.zeros(codes, np.int64), 0, 0
    for name in shards.index["tokens"]:
        tokens = shards.get("tokens", name).numpy()
        count += np.bincount(tokens, minlength=codes)
        repeats += int((tokens[1:] == tokens[:-1]).sum())
        total += len(tokens)
    share = count[count > 0] / max(1, total)
    bits = float(-(share * np.log2(share)).sum())
    return {
        "utterances": len(shards.index["tokens"]),
        "tokens": total,
        "codes_used": int((count > 0).sum()),
        "codes": codes,
        "entropy_bits": round(bits, 3),
        "repeats": round(repeats / max(1, total), 4),
    }
