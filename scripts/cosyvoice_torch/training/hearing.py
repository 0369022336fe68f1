"""
What a hearing run has made: the two networks as files of the official layout, and figures of them on utterances they never heard, speaker
by speaker: how often a code is the voice's own, how many phonemes its decoder reads wrongly, how near a speaker's vector is to the stored
one. The first tokenizer's figures stand beside the robust one's.
"""

import copy
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..features import fbank, resample
from ..onnx_writer import write_speaker, write_speech_tokenizer
from ..speaker import SpeakerEncoder
from ..speech_tokenizer import SpeechTokenizer
from . import robust, speaker
from .data import Dataset, speaker_vector
from .recipe import training
from .robust import Heard, RobustObjective, RobustSettings
from .run import Run, Stage, write_atomically
from .teachers import keeps_time_of
from .tokenizer import phoneme_error
from .tokenizer import trained as trained_tokenizer

COLUMNS = ("network", "speaker", "utterances", "codes as the voice's", "phonemes wrong", "cosine to its vector", "to another's")
FIGURES = ("utterances", "agreed", "phoneme_error", "cosine", "others")
FILES = ("speech_tokenizer_v2.onnx", "campplus.onnx")


def halved(module: nn.Module) -> nn.Module:
    """A copy whose matrices are halves, as the files hold them."""
    module = copy.deepcopy(module)
    for parameter in module.parameters():
        if parameter.dim() > 1:
            parameter.data = parameter.data.half().float()
    return module.requires_grad_(False).eval()


def networks(run: Run) -> tuple[SpeechTokenizer, SpeakerEncoder]:
    return robust.trained(run).tokenizer, speaker.trained(run)


def write_networks(folder: Path, tokenizer: SpeechTokenizer, encoder: SpeakerEncoder, half: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, module, write in zip(FILES, (tokenizer, encoder), (write_speech_tokenizer, write_speaker), strict=True):
        write(folder / file, module.cpu().eval(), half)


@torch.inference_mode()
def heard(objective: RobustObjective, data: Heard, tokenizer: SpeechTokenizer, distort: bool = False) -> dict[str, dict[str, float]]:
    """Speaker -> {utterances, agreed (where the codes are known), phoneme_error}."""
    indices: dict[str, list[int]] = {}
    for i, meta in enumerate(data.items):
        if objective.length(meta):
            indices.setdefault(meta["speaker"], []).append(i)
    found = {}
    for name, mine in sorted(indices.items()):
        mine.sort(key=lambda i: data.items[i]["frames"])
        same = total = wrong = phonemes = 0.0
        for start in range(0, len(mine), 16):
            batch = objective.collate([data[i] for i in mine[start : start + 16]], torch.Generator().manual_seed(start), False)
            codes = batch["codes"]
            hidden = tokenizer.quantizer.project_in(tokenizer.encode(batch["distorted" if distort else "whisper"], 4 * codes))
            mask = (torch.arange(hidden.shape[1]) < codes[:, None])[..., None].float()
            logits = objective.decoder.read(tokenizer.quantizer.levels(hidden) * mask, mask)[1]
            wrong += phoneme_error(logits.transpose(0, 1), batch) * len(batch["phonemes"])
            phonemes += len(batch["phonemes"])
            if int(batch["group"][0]) < 2:
                inside = mask[..., 0] > 0
                same += float((tokenizer.quantizer.ids(hidden) == batch["tokens"])[inside].sum())
                total += float(inside.sum())
        found[name] = {"utterances": len(mine), "phoneme_error": round(wrong / phonemes, 4)} | ({"agreed": round(same / total, 4)} if total else {})
    return found


@torch.inference_mode()
def recognised(encoder: SpeakerEncoder, data: Dataset) -> dict[str, dict[str, float]]:
    """Known speaker -> {utterances, cosine (to the stored vector), others (the largest mean cosine to another one's)}."""
    known = sorted({name for name in (meta["speaker"] for meta in data.all) if keeps_time_of(name) == name})
    stored = torch.stack([speaker_vector(name) for name in known])
    found = {}
    for place, name in enumerate(known):
        vectors = [_vector(encoder, data[i]["audio"]) for i, meta in enumerate(data.items) if meta["speaker"] == name]
        if vectors:
            cosines = (torch.stack(vectors) @ stored.T).mean(0)
            others = torch.cat([cosines[:place], cosines[place + 1 :]])
            found[name] = {"utterances": len(vectors), "cosine": round(float(cosines[place]), 4)}
            found[name] |= {"others": round(float(others.max()), 4)} if len(others) else {}
    return found


def _vector(encoder: SpeakerEncoder, audio: Tensor) -> Tensor:
    return nn.functional.normalize(encoder(fbank(resample(audio, 24000, 16000))), dim=0)


def rows(said: dict[str, dict[str, dict[str, float]]]) -> list[list[str | float]]:
    """Figures as a table with COLUMNS; "" where a network has no such figure."""
    return [[network, name, *(found.get(key, "") for key in FIGURES)] for network, speakers in said.items() for name, found in speakers.items()]


def figures(run: Run, recipe: dict[str, Any], split: str = "test") -> dict[str, Any]:
    """Of what there is so far: the first tokenizer always, the robust one and the speaker encoder once they have validated."""
    voice = run.beside(training(recipe, "robust", RobustSettings)[0].voice)
    built = robust.build(run, recipe)
    data = built.dataset.split(split)
    tokenizers = {"first": trained_tokenizer(voice)[0].tokenizer}
    if list(run.path("robust", "checkpoints").glob("best-*")):
        tokenizers["robust"] = halved(robust.trained(run).tokenizer)
    kinds = [(name, tokenizer, distort) for name, tokenizer in tokenizers.items() for distort in (False, True)]
    said = {f"{name}{' distorted' if distort else ''}": heard(built.objective, data, tokenizer, distort) for name, tokenizer, distort in kinds}
    if list(run.path("speaker", "checkpoints").glob("best-*")):
        voices = Dataset(Stage.existing(run, "features").folder, ["audio"]).split(split)
        said["speaker"] = recognised(halved(speaker.trained(run)), voices)
    page = [{"title": f"How well each network hears each speaker ({split})", "columns": COLUMNS, "rows": rows(said)}]
    write_atomically(run.path("figures.json"), json.dumps(page, indent=1, ensure_ascii=False) + "\n")
    return said
