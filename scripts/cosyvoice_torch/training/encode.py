"""
The encode stage: speech tokens of the whole corpus, by the trained tokenizer, into shards of `tokens` [S] i32; and the embed stage:
what the trained speaker encoder says of each utterance, `speaker` [192] f32. Who fine-tunes a release asks the release's own networks.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..checkpoint import Model
from ..speaker import SpeakerEncoder
from ..speech_tokenizer import SpeechTokenizer
from ..stages import NEEDS
from . import speaker, tokenizer
from .checkpoints import read_metadata, recorded_best
from .data import Dataset, speaker_vector
from .metrics import Report
from .run import Run, Stage
from .shards import Shards, shard_names, write_shard_as
from .spread import spread

PIECE = 500
HEARS = {"tokenizer": NEEDS["speech_tokenizer"], "speaker": NEEDS["speaker"]}
"""What hears, and its file in a release."""


def _device() -> str:
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # rounding would turn codes into others
    return "cuda" if torch.cuda.is_available() else "cpu"


@lru_cache(maxsize=1)
def _tokenizer(folder: Path, release: Path | None) -> tuple[SpeechTokenizer, Dataset]:
    network = Model(release).speech_tokenizer if release else tokenizer.trained(Run(folder))[0].tokenizer
    return network.to(_device()), Dataset(folder / "features", ["whisper"])


@lru_cache(maxsize=1)
def _encoder(folder: Path, release: Path | None) -> tuple[SpeakerEncoder, Dataset]:
    network = Model(release).speaker if release else speaker.trained(Run(folder))
    return network.to(_device()), Dataset(folder / "features", ["audio"])


@torch.inference_mode()
def encode_piece(network: SpeechTokenizer, data: Dataset, names: list[str]) -> dict[str, Tensor]:
    """Codes of some utterances. They are batched by length: padding does not change codes."""
    metas = sorted((data.by_name(name) for name in names), key=lambda meta: meta["frames"])
    tokens = {}
    for start in range(0, len(metas), 16):
        group = metas[start : start + 16]
        heard = [data.item(meta)["whisper"] for meta in group]
        lengths = [len(mel) // 4 for mel in heard]
        padded = [F.pad(mel[: 4 * n], (0, 0, 0, 4 * (max(lengths) - n))) for mel, n in zip(heard, lengths, strict=True)]
        here = network.conv1.weight.device
        encoded = network.encode(torch.stack(padded).transpose(1, 2).contiguous().to(here), 4 * torch.tensor(lengths, device=here))
        ids = network.quantizer.ids(network.quantizer.project_in(encoded)).cpu()
        tokens |= {meta["id"]: row[:length].int() for meta, row, length in zip(group, ids, lengths, strict=True)}
    return tokens


@torch.inference_mode()
def embed_piece(network: SpeakerEncoder, data: Dataset, names: list[str]) -> dict[str, Tensor]:
    """Speaker vectors of some utterances."""
    made = {}
    for start in range(0, len(names), 32):
        group = names[start : start + 32]
        said = speaker.vectors(network, [data.item(data.by_name(name))["audio"] for name in group]).cpu()
        made |= {name: row.clone() for name, row in zip(group, said, strict=True)}
    return made


def _write_piece(what: str, field: str, folder: Path, release: Path | None, number: int, names: list[str]) -> int:
    load, say = {"encode": (_tokenizer, encode_piece), "embed": (_encoder, embed_piece)}[what]
    network, data = load(folder, release)
    made = say(network, data, names)
    hashes = {name: data.by_name(name).get("sha256") for name in names}
    write_shard_as(folder / what / field / f"{number:05d}.safetensors", made, {name: sha256 for name, sha256 in hashes.items() if sha256})
    return len(names)


def up_to_date(folder: Path, items: list[dict[str, Any]]) -> set[str]:
    """Utterances for which a network has said what it says of the sound they have now; shards without hashes are from before they were kept."""
    made_of: dict[str, str | None] = {}
    for path in sorted(folder.glob("*.safetensors")):
        made_of |= dict.fromkeys(shard_names(path)) | read_metadata(path)
    return {meta["id"] for meta in items if meta["id"] in made_of and (made_of[meta["id"]] or meta.get("sha256")) == meta.get("sha256")}


def _made_by(run: Run, network: str, release: Path | None) -> dict[str, Any]:
    """What identifies a network."""
    if release:
        file = release / HEARS[network]
        if not file.exists():
            raise FileNotFoundError(f"{file}: the release has none")
        return {network: file.name, "score": 0.0, "begun": hashlib.sha256(file.read_bytes()).hexdigest()[:16]}
    stage = Stage.existing(run, network)
    best = recorded_best(stage)
    return {network: best["file"], "score": best["score"], "begun": stage.record["config_hash"]}


def _of_all(
    run: Run, what: str, network: str, reads: str, field: str, counts: Callable[[], dict[str, Any]], release: Path | None, processes: int, restart: bool
) -> Stage:
    """
    What a trained network says of every utterance that it has not heard yet, or that has other sound now; of all when it has changed.
    `counts`: of what there is in the end.
    """
    features = Stage.existing(run, "features")
    stage = Stage(run, what, _made_by(run, network, release), [features])
    if stage.done() and not restart:
        return stage
    stage.begin(restart or bool(stage.record) and stage.record["config"] != stage.config)
    _tokenizer.cache_clear()  # this process may have done it before, with another network or other features
    _encoder.cache_clear()
    items = Dataset(features.folder, [reads]).items
    ready = up_to_date(stage.folder / field, items)
    todo = [meta["id"] for meta in items if meta["id"] not in ready]
    first = 1 + max((int(path.stem) for path in (stage.folder / field).glob("*.safetensors")), default=-1)
    jobs = [(what, field, run.folder, release, first + i, todo[i * PIECE : (i + 1) * PIECE]) for i in range(-(-len(todo) // PIECE))]
    workers = processes or (4 if torch.cuda.is_available() else os.cpu_count() or 1)  # each has a share of the GPU's memory
    done = len(ready)
    with Report(f"{what} (utterances)", len(items), done) as report:
        for count in spread(_write_piece, jobs, workers):
            done += count
            report.at(done)
            report.line(done, {}, "")
    stage.finish(counts())
    return stage


def encode(run: Run, processes: int = 0, restart: bool = False, release: Path | None = None) -> Stage:
    """Tokens of the corpus."""
    counts = lambda: usage(run.path("encode"), 3 ** _tokenizer(run.folder, release)[0].quantizer.project_in.out_features)
    return _of_all(run, "encode", "tokenizer", "whisper", "tokens", counts, release, processes, restart)


def embed(run: Run, processes: int = 0, restart: bool = False, release: Path | None = None) -> Stage:
    """Speaker vectors of the corpus."""
    counts = lambda: {"utterances": len(Shards(run.path("embed"), ["speaker"]).index["speaker"])}
    return _of_all(run, "embed", "speaker", "audio", "speaker", counts, release, processes, restart)


def stored_vectors(run: Run, names: Iterable[str]) -> dict[str, Tensor]:
    """Name -> [192], unit length: the speakers as the flow knows them, each the mean of his utterances in training."""
    if not run.path("embed").exists():
        return {name: speaker_vector(name) for name in names}
    data = Dataset(run.path("features"), ["speaker"], "train")
    mean = lambda name: torch.stack([data[i]["speaker"] for i in data.of_speaker(name)]).mean(0)
    return {name: F.normalize(mean(name), dim=0) for name in names}


def stored_vector(run: Run, name: str) -> Tensor:
    """One of `stored_vectors`."""
    return stored_vectors(run, [name])[name]


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
