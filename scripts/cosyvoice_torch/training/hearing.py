"""
Figures of the two networks that hear, on utterances they never heard, speaker by speaker: how many phonemes are read wrongly from the
codes, of clean and of distorted sound, and how near an utterance's vector is to its speaker and to the nearest other one. As the files
hold them: with matrices of halves.
"""

import copy
import json
from typing import Any

import torch
from torch import nn

from . import speaker, tokenizer
from .data import Dataset
from .encode import stored_vectors
from .run import Run, Stage, write_atomically

COLUMNS = ("speaker", "utterances", "phonemes wrong", "when distorted", "cosine to the speaker", "to the nearest other")
FIGURES = ("utterances", "phoneme_error", "phoneme_error_distorted", "cosine", "other")


def halved(module: nn.Module) -> nn.Module:
    """A copy whose matrices are halves."""
    module = copy.deepcopy(module)
    for parameter in module.parameters():
        if parameter.dim() > 1:
            parameter.data = parameter.data.half().float()
    return module.requires_grad_(False).eval()


@torch.inference_mode()
def read(run: Run, split: str) -> dict[str, dict[str, float]]:
    """Speaker -> {utterances, phoneme_error, phoneme_error_distorted}."""
    objective = tokenizer.trained(run)[0]
    objective.tokenizer, objective.sizes.clean = halved(objective.tokenizer), 0.0
    data = Dataset(Stage.existing(run, "features").folder, objective.fields(), split)
    data.items = [meta for meta in data.items if objective.length(meta)]
    found = {}
    for name in sorted({meta["speaker"] for meta in data.items}):
        mine = sorted(data.of_speaker(name), key=lambda i: data.meta(i)["frames"])
        sums: dict[str, float] = {}
        for start in range(0, len(mine), 16):
            group = mine[start : start + 16]
            batch = objective.collate([data[i] for i in group], torch.Generator().manual_seed(start), False)
            for key, value in objective.loss(batch, torch.Generator(), "main", 1)[1].items():
                if key.startswith("phoneme_error"):
                    sums[key] = sums.get(key, 0.0) + value * len(batch["phonemes"])
        total = sum(len(data.meta(i)["phonemes"]) for i in mine)
        found[name] = {"utterances": len(mine)} | {key: round(value / total, 4) for key, value in sums.items()}
    return found


@torch.inference_mode()
def recognised(run: Run, split: str) -> dict[str, dict[str, float]]:
    """Speaker -> {cosine, other}: means over utterances."""
    encoder = halved(speaker.trained(run))
    data = Dataset(Stage.existing(run, "features").folder, ["audio"], split)
    names = sorted({meta["speaker"] for meta in data.items})
    centres = torch.stack(list(stored_vectors(run, names).values()))
    found = {}
    for place, name in enumerate(names):
        cosines = speaker.vectors(encoder, [data[i]["audio"] for i in data.of_speaker(name)]) @ centres.T
        found[name] = {"cosine": round(float(cosines[:, place].mean()), 4)}
        if len(names) > 1:
            cosines[:, place] = -1
            found[name]["other"] = round(float(cosines.amax(1).mean()), 4)
    return found


def rows(said: dict[str, dict[str, float]]) -> list[list[str | float]]:
    """Figures as a table with COLUMNS; "" where there is no such figure."""
    return [[name, *(found.get(key, "") for key in FIGURES)] for name, found in said.items()]


def figures(run: Run, split: str = "test") -> dict[str, dict[str, float]]:
    """Of the tokenizer, and where the corpus is embedded of the speaker encoder; also written to `figures.json`, for the report."""
    said = read(run, split)
    if run.path("embed", "stage.json").exists():
        for name, found in recognised(run, split).items():
            said.setdefault(name, {}).update(found)
    page: list[dict[str, Any]] = [{"title": f"How well each speaker is heard ({split})", "columns": COLUMNS, "rows": rows(said)}]
    write_atomically(run.path("figures.json"), json.dumps(page, indent=1, ensure_ascii=False) + "\n")
    return said
