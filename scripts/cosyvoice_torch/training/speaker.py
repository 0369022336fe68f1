"""
A small CAM++ (`speaker.py`) that tells the speakers of a corpus apart (additive-margin softmax over cosines). Played faster or slower,
each is another person, for there are few of them; made-up ones, with other pitches and other throats, count like all others. The flow
is conditioned on what the network says of each utterance (the embed stage), so a voice never heard before lies among the ones it knows.

In the ONNX file a norm that follows a convolution is folded into it. In training it stands behind it, and is folded in the end.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..features import fbank, resample
from ..speaker import BATCH_NORM_EPS, BatchNorm, SpeakerEncoder, SpeakerSizes
from .checkpoints import best_weights
from .data import SPEAKER_DIM, Dataset
from .distort import recorded
from .recipe import training
from .run import Run, Stage
from .train import Training
from .trainer import Numbers, Objective

RATE, HEARD = 24000, 16000
PLAYED = (12800, 14000, 18000, 20000)
"""Rates that are then heard as HEARD: faster and higher, slower and lower, each another person."""


@dataclass
class SpeakerSettings:
    head: int = 8
    channels: int = 64
    growth: int = 16
    bottleneck: int = 64
    layers: tuple[int, ...] = (4, 8, 6)
    seconds: float = 2.0  # heard of each utterance
    distorted: float = 0.7  # share of utterances
    played: float = 0.3  # share of the utterances that are played at another rate
    scale: float = 20.0
    margin: float = 0.2

    @property
    def sizes(self) -> SpeakerSizes:
        return SpeakerSizes(self.head, self.channels, tuple(self.layers), self.growth, self.bottleneck, SPEAKER_DIM)


class Normed(nn.Module):
    """A convolution with a batch norm behind it."""

    def __init__(self, conv: nn.Module):
        super().__init__()
        self.conv, self.norm = conv, BatchNorm(conv.out_channels)
        conv.bias = None

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))

    def folded(self) -> nn.Module:
        scale = self.norm.weight / (self.norm.running_var + BATCH_NORM_EPS).sqrt()
        self.conv.weight = nn.Parameter(self.conv.weight * scale.reshape(-1, *[1] * (self.conv.weight.dim() - 1)))
        self.conv.bias = nn.Parameter(self.norm.bias - self.norm.running_mean * scale)
        return self.conv


class Shift(nn.Module):
    """What the last norm does in the file: with a variance of 1, its mean is a bias with its sign turned."""

    def __init__(self, channels: int):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.mean


def normed_convolutions(encoder: SpeakerEncoder) -> Iterator[tuple[nn.Module, str]]:
    """(parent, name) of the convolutions that have a norm folded in."""
    for module in encoder.head.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d | Normed) and not isinstance(module, Normed):
                yield module, name
    x = encoder.xvector
    yield x.tdnn, "linear"
    for b in range(1, x.count + 1):
        for layer in getattr(x, f"block{b}").values():
            yield layer, "linear1"
    yield getattr(x, f"transit{x.count}"), "linear"


def with_norms(encoder: SpeakerEncoder) -> SpeakerEncoder:
    for parent, name in list(normed_convolutions(encoder)):
        setattr(parent, name, Normed(getattr(parent, name)))
    encoder.xvector.dense.nonlinear = Shift(encoder.xvector.dense.linear.out_channels)
    return encoder


def folded(encoder: SpeakerEncoder, sizes: SpeakerSizes) -> SpeakerEncoder:
    """A trained encoder as the file holds it; the given one is used up."""
    for parent, name in list(normed_convolutions(encoder)):
        setattr(parent, name, getattr(parent, name).folded())
    mean = encoder.xvector.dense.nonlinear.mean
    plain = SpeakerEncoder(sizes)
    last = plain.xvector.dense.nonlinear.batchnorm
    encoder.xvector.dense.nonlinear = plain.xvector.dense.nonlinear
    last.running_mean.copy_(mean.detach())
    last.running_var.fill_(1 - BATCH_NORM_EPS)
    plain.load_state_dict(encoder.state_dict())
    return plain.eval().requires_grad_(False)


class SpeakerObjective(Objective):
    name = "speaker"

    def __init__(self, settings: SpeakerSettings, speakers: list[str], seed: int = 0):
        super().__init__()
        self.settings = settings
        self.people = [(name, rate) for name in speakers for rate in (HEARD, *PLAYED)]
        self.number = {person: i for i, person in enumerate(self.people)}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.encoder = with_norms(SpeakerEncoder(settings.sizes))
            self.centres = nn.Parameter(torch.randn(len(self.people), SPEAKER_DIM) / SPEAKER_DIM**0.5)

    def state(self) -> dict[str, Any]:
        return {**asdict(self.settings), "people": [f"{name} {rate}" for name, rate in self.people]}

    def fields(self) -> list[str]:
        return ["audio"]

    def length(self, meta: dict[str, Any]) -> int:
        """Every utterance is heard for the same time."""
        return 1

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Any]:
        chance = lambda share: training and float(torch.rand((), generator=rng)) < share
        rows, people = [], []
        for item in items:
            rate = HEARD
            if chance(self.settings.played):
                rate = PLAYED[int(torch.randint(len(PLAYED), (), generator=rng))]
            length = round(self.settings.seconds * HEARD)
            piece = part(item["audio"], -(-length * RATE // rate), rng if training else None)
            samples = resample(piece, RATE, rate)[:length]
            rows.append(fbank(recorded(samples, rng) if chance(self.settings.distorted) else samples))
            people.append(self.number[item["by"], rate])
        return {"fbank": torch.stack(rows), "person": torch.tensor(people)}

    def loss(self, batch: dict[str, Any], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, Numbers]:
        person = batch["person"]
        vectors = F.normalize(self.encoder.batched(batch["fbank"]).float(), dim=-1)
        cosines = vectors @ F.normalize(self.centres, dim=-1).T
        own = F.one_hot(person, len(self.people)).to(cosines.dtype)
        loss = F.cross_entropy(self.settings.scale * (cosines - self.settings.margin * own), person)
        mine = cosines.detach().gather(1, person[:, None]).mean()
        return loss, {"loss": loss.detach(), "right": (cosines.argmax(-1) == person).float().mean(), "cosine": mine}


def part(samples: Tensor, length: int, rng: torch.Generator | None) -> Tensor:
    """`length` samples from a random place, or from the middle; what is too short is repeated."""
    samples = samples.repeat(-(-length // max(1, len(samples))))
    free = len(samples) - length
    start = int(torch.randint(free + 1, (), generator=rng)) if rng is not None else free // 2
    return samples[start : start + length]


def vectors(encoder: SpeakerEncoder, audios: list[Tensor], seconds: float = 3.0) -> Tensor:
    """[B, 192], unit length: what the encoder says of the middles of 24 kHz samples."""
    heard = [fbank(resample(part(audio, round(seconds * RATE), None), RATE, HEARD)) for audio in audios]
    return F.normalize(encoder.batched(torch.stack(heard).to(next(encoder.parameters()).device)), dim=1)


def build(run: Run, recipe: dict[str, Any]) -> Training:
    """`[speaker]` and `[speaker.train]` of the recipe, on the run's features."""
    settings, train = training(recipe, "speaker", SpeakerSettings)
    features = Stage.existing(run, "features")
    data = Dataset(features.folder, ["audio"])
    speakers = sorted({meta["speaker"] for meta in data.all})
    return Training(SpeakerObjective(settings, speakers, train.seed), data, train, [features])


def trained(run: Run) -> SpeakerEncoder:
    """As it validated best, folded."""
    stage = Stage.existing(run, "speaker")
    settings = stage.settings(SpeakerSettings)
    heard = [person.rsplit(" ", 1) for person in stage.config["people"]]
    objective = SpeakerObjective(settings, [name for name, rate in heard if int(rate) == HEARD])
    objective.load_state_dict(best_weights(run.path("speaker")))
    return folded(objective.eval().encoder, settings.sizes)
