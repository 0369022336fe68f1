"""
An encoder for codes that exist already: the language model and the flow of a voice know what its 729 codes mean, so these stay, and the
tokenizer's encoder learns to find them in other speakers' speech.

Two teachers. Where it is known which codes are right (the voice's own corpus, and other speakers who keep its time), each digit of each
code is two decisions, "above -1" and "above 0", at the quantizer's own edges. Where only the phonemes are known (speakers with a time of
their own), they must be read from the codes by the first tokenizer's decoder, which is frozen (CTC). All of it is heard through
distortions most of the time.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..speech_tokenizer import LEVEL_SCALE
from .checkpoints import best_weights, recorded_best
from .data import Dataset
from .distort import distorted
from .recipe import training
from .run import Run, Stage
from .teachers import keeps_time_of
from .tokenizer import TokenizerObjective, phoneme_error
from .tokenizer import trained as trained_tokenizer
from .train import Training
from .trainer import Objective

EDGE = float(torch.atanh(torch.tensor(0.5 / LEVEL_SCALE)))  # of the projection, where a digit changes
GROUPS = ("own", "kept", "other")  # the voice's own speaker; others who keep its time; others


@dataclass
class RobustSettings:
    voice: str = ""  # run whose codes are kept, seen from this run; "": this one
    clean: float = 0.3  # share of utterances that are heard as they are
    softness: float = 0.25  # width of a decision, in units of the projection
    ctc_weight: float = 1.0


class Heard(Dataset):
    """Utterances with the voice's phoneme numbers, and its codes where they are right for them: else `tokens` is empty."""

    def __init__(self, folder: Path, voice: Run, symbols: list[str], speaker: str):
        super().__init__(folder, ["whisper", "tokens", "phonemes"], tokens=voice.path("encode"))
        self.phonemes, self.phoneme_ids, self.speaker = symbols, {symbol: i for i, symbol in enumerate(symbols)}, speaker
        for meta in self.all:
            if self.group(meta) < 2 and meta["tokens"] != meta["frames"] // 2:
                raise ValueError(f"{folder}: {meta['id']} has the time of {meta['frames'] // 2} codes, {speaker} of {voice.folder} {meta['tokens']}: other teachers?")

    def group(self, meta: dict[str, Any]) -> int:
        """An index of GROUPS."""
        return 0 if meta["speaker"] == self.speaker else 1 if keeps_time_of(meta["speaker"]) == self.speaker else 2

    def item(self, meta: dict[str, Any]) -> dict[str, Any]:
        item, group = super().item(meta), self.group(meta)
        return item | {"group": group, "tokens": item["tokens"] if group < 2 else item["tokens"][:0]}


class RobustObjective(Objective):
    name = "robust"

    def __init__(self, settings: RobustSettings, first: TokenizerObjective, symbols: list[str], origin: dict[str, Any]):
        """`first`: the tokenizer that made the codes; `origin`: what identifies it."""
        super().__init__()
        self.settings, self.symbols, self.origin, self.sizes = settings, symbols, origin, first.sizes
        self.tokenizer, self.decoder = first.tokenizer, first.decoder
        self.decoder.requires_grad_(False)
        self._length = first.length

    def turns(self) -> dict[str, list[torch.nn.Parameter]]:
        return {"main": list(self.tokenizer.parameters())}

    def state(self) -> dict[str, Any]:
        return {**asdict(self.settings), **asdict(self.sizes), "tokenizer": self.origin}

    def fields(self) -> list[str]:
        return ["whisper", "tokens", "phonemes"]

    def length(self, meta: dict[str, Any]) -> int:
        """Codes; 0 where CTC cannot align the phonemes, or a phoneme is new to the decoder."""
        return self._length(meta) if set(meta["phonemes"]) <= set(self.symbols) else 0

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Any]:
        codes = [len(item["whisper"]) // 4 for item in items]
        longest = max(codes)

        def padded(distort: float) -> Tensor:
            rows = []
            for item, n in zip(items, codes, strict=True):
                mel = item["whisper"][: 4 * n]
                changed = distorted(mel, rng) if float(torch.rand((), generator=rng)) < distort else mel
                rows.append(F.pad(changed, (0, 0, 0, 4 * (longest - n))))
            return torch.stack(rows).transpose(1, 2).contiguous()

        batch = {
            "whisper": padded(1 - self.settings.clean if training else 0.0),
            "codes": torch.tensor(codes),
            "tokens": torch.stack([F.pad(item["tokens"], (0, longest - len(item["tokens"]))) for item in items]),
            "group": torch.tensor([item["group"] for item in items]),
            "phonemes": torch.cat([item["phonemes"] for item in items]),
            "phoneme_lengths": torch.tensor([len(item["phonemes"]) for item in items]),
        }
        return batch if training else batch | {"distorted": padded(1.0)}

    def loss(self, batch: dict[str, Any], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, dict[str, float]]:
        loss, numbers = self._heard(batch)
        if "distorted" in batch:
            other, found = self._heard(batch | {"whisper": batch["distorted"]})
            loss = (loss + other) / 2
            numbers |= {f"{name}_distorted": value for name, value in found.items()}
        return loss, {"loss": float(loss.detach()), **numbers}

    def _heard(self, batch: dict[str, Any]) -> tuple[Tensor, dict[str, float]]:
        codes = batch["codes"]
        encoded = self.tokenizer.encode(batch["whisper"], 4 * codes)
        mask = (torch.arange(encoded.shape[1], device=codes.device) < codes[:, None])[..., None].to(encoded.dtype)
        hidden = self.tokenizer.quantizer.project_in(encoded).float()
        loss, numbers = hidden.new_zeros(()), {}
        known = batch["group"] < 2
        if bool(known.any()):
            inside = mask[known][..., 0] > 0
            decided, wanted = hidden[known][inside], batch["tokens"][known][inside]
            digits = decision_loss(decided, wanted, self.settings.softness)
            loss, numbers = loss + digits, {"digits": float(digits.detach())}
            same = self.tokenizer.quantizer.ids(decided.detach()) == wanted
            owners = batch["group"][known][:, None].expand_as(inside)[inside]
            for group in (0, 1):
                if bool((owners == group).any()):
                    numbers[f"agreed_{GROUPS[group]}"] = float(same[owners == group].float().mean())
        rows = ~known if self.training else torch.ones_like(known)
        if bool(rows.any()):
            levels = self.tokenizer.quantizer.levels(hidden[rows]) * mask[rows]
            logprobs = self.decoder.read(levels, mask[rows])[1].float().log_softmax(-1).transpose(0, 1)
            lengths = batch["phoneme_lengths"][rows]
            starts = batch["phoneme_lengths"].cumsum(0) - batch["phoneme_lengths"]
            targets = torch.cat([batch["phonemes"][start : start + n] for start, n in zip(starts[rows].tolist(), lengths.tolist(), strict=True)])
            each = F.ctc_loss(logprobs, targets, 2 * codes[rows], lengths, reduction="none", zero_infinity=True) / lengths
            others = batch["group"][rows] == 2
            if bool(others.any()):
                ctc = each[others].mean()
                loss = loss + self.settings.ctc_weight * ctc
                numbers["ctc"] = float(ctc.detach())
            if not self.training:
                numbers["phoneme_error"] = phoneme_error(logprobs, {"codes": codes, "phonemes": targets, "phoneme_lengths": lengths})
        return loss, numbers


def decision_loss(hidden: Tensor, ids: Tensor, softness: float) -> Tensor:
    """hidden [N, dims], ids [N] -> nats a code: every digit as two decisions, below or above each edge."""
    digits = ids[:, None] // 3 ** torch.arange(hidden.shape[-1], device=ids.device) % 3 - 1
    edges = hidden.new_tensor([-EDGE, EDGE])
    logits = (hidden[..., None] - edges) / softness
    wanted = (digits[..., None] >= torch.tensor([0, 1], device=ids.device)).to(hidden.dtype)
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / len(hidden)


def origin_of(voice: Run) -> dict[str, Any]:
    """What identifies the tokenizer that made a voice's codes."""
    stage = Stage.existing(voice, "tokenizer")
    origin = {**recorded_best(stage), "begun": stage.record["config_hash"]}
    if Stage.existing(voice, "encode").config["score"] != origin["score"]:
        raise ValueError(f"{voice.folder}: its codes are not its tokenizer's; encode again, or use the tokenizer they come from")
    return origin


def still_valid(run: Run) -> Stage:
    """The stage of a trained encoder. The codes it has learned must still be the voice's: those of another tokenizer mean other sounds."""
    stage = Stage.existing(run, "robust")
    voice = run.beside(stage.config["voice"])
    learned, there = stage.config["tokenizer"], origin_of(voice)
    if learned != there:
        named = lambda origin: f"{origin['file']} (score {origin['score']:.4f}, settings {origin['begun']})"
        raise ValueError(
            f"{stage.folder}: it has learned the codes of the tokenizer {named(learned)}, but those of {voice.folder} are of {named(there)}; "
            "train robust --restart, or bring back the tokenizer it has learned from"
        )
    return stage


def made(run: Run, settings: RobustSettings) -> tuple[RobustObjective, Run]:
    """The objective, its encoder as the voice's tokenizer has it, and the voice's run."""
    voice = run.beside(settings.voice)
    first, _ = trained_tokenizer(voice)
    symbols = Dataset(voice.path("features"), ["phonemes"]).phonemes
    return RobustObjective(settings, first.train(), symbols, origin_of(voice)), voice


def build(run: Run, recipe: dict[str, Any]) -> Training:
    """`[robust]` and `[robust.train]` of the recipe, on this run's features and the voice's tokenizer and codes."""
    settings, train = training(recipe, "robust", RobustSettings)
    objective, voice = made(run, settings)
    features = Stage.existing(run, "features")
    speaker = Stage.existing(voice, "corpus").config.get("teacher", "")
    return Training(objective, Heard(features.folder, voice, objective.symbols, speaker), train, [features])


def trained(run: Run) -> RobustObjective:
    """As it validated best, in eval mode."""
    objective, _ = made(run, still_valid(run).settings(RobustSettings))
    objective.load_state_dict(best_weights(run.path("robust")))
    return objective.eval().requires_grad_(False)
