"""
The flow's objective: conditional flow matching along straight paths from noise to mel (CosyVoice 2, section 2.4; Lipman et al. 2023),
with conditions dropped for guidance, a prompt of random length, and chunk masks half of the time.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import EstimatorConfig, FlowConfig
from ..encoder import within
from ..flow import Flow
from .checkpoints import averaged_best
from .data import Dataset, Joined
from .recipe import training
from .run import Run, Stage, fingerprint
from .train import Training
from .trainer import Objective

SIZES = ("input_width", "width", "heads", "ffn", "blocks", "up_blocks", "channels", "estimator_heads", "estimator_head_dim")
SIZES += ("estimator_blocks", "mid_blocks", "mel_bins", "schedule")
SCHEDULES = ("uniform", "cosine")


@dataclass
class FlowSettings:
    """`[flow]` of a recipe; the sizes of the configuration S."""

    input_width: int = 96
    width: int = 96
    heads: int = 4
    ffn: int = 288
    blocks: int = 3
    up_blocks: int = 2
    channels: int = 96
    estimator_heads: int = 2
    estimator_head_dim: int = 48
    estimator_blocks: int = 1
    mid_blocks: int = 3
    mel_bins: int = 80
    sigma: float = 1e-6
    drop: float = 0.2  # share of utterances that lose all conditions
    streaming: float = 0.5  # share of batches with chunk masks
    prompt: float = 0.5  # share of utterances with the head of their own mel as a condition
    longest_prompt: float = 0.3  # of the utterance
    schedule: str = "uniform"  # of t; "cosine" is what upstream used before 2026
    also: str = ""  # a hearing run, seen from this one, whose speakers it learns as well

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"flow.schedule {self.schedule}: must be one of {', '.join(SCHEDULES)}")

    def config(self, codes: int) -> FlowConfig:
        heads = (self.channels, self.estimator_heads, self.estimator_head_dim)
        estimator = EstimatorConfig(4 * self.mel_bins, *heads, self.estimator_blocks, self.mid_blocks, 50)
        sizes = (self.input_width, self.width, self.heads, self.ffn, self.blocks, self.up_blocks)
        return FlowConfig(codes, *sizes, 25, estimator, mel_bins=self.mel_bins)


@dataclass
class Draw:
    """The random choices of one batch."""

    t: Tensor
    """[B] in 0 .. 1"""
    noise: Tensor
    """[B, M, 80]"""
    kept: Tensor
    """[B] bool: has its conditions"""
    prompt: Tensor
    """[B] frames of mel that are known"""
    streaming: bool


def draw(settings: FlowSettings, frames: Tensor, mel_bins: int, rng: torch.Generator) -> Draw:
    """frames [B]: lengths of the utterances, on the CPU."""
    b = len(frames)
    uniform = lambda: torch.rand(b, generator=rng)
    t = uniform()
    if settings.schedule == "cosine":
        t = 1 - torch.cos(t * math.pi / 2)
    longest = (settings.longest_prompt * frames).floor()
    prompt = (uniform() * (longest + 1)).floor().clamp(max=longest)
    has_prompt = uniform() < settings.prompt
    return Draw(
        t,
        torch.randn(b, int(frames.max()), mel_bins, generator=rng),
        uniform() >= settings.drop,
        torch.where(has_prompt, prompt, 0.0).long(),
        float(torch.rand((), generator=rng)) < settings.streaming,
    )


def path(noise: Tensor, mel: Tensor, t: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """noise, mel [B, M, 80], t [B] -> the point at time t and the velocity there; noise at 0, mel at 1."""
    t = t[:, None, None]
    return (1 - (1 - sigma) * t) * noise + t * mel, mel - (1 - sigma) * noise


def masked_mse(predicted: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """[B, M, C] each, mask [B, M]: mean over what is no padding."""
    return ((predicted - wanted).square() * mask[..., None]).sum() / (mask.sum() * predicted.shape[-1])


class FlowObjective(Objective):
    name = "flow"
    later = ("codes_made",)

    def __init__(self, settings: FlowSettings, codes: int, seed: int = 0, origin: str = "", made: str = ""):
        """`origin`: the tokenizer the codes come from; `made`: what tells these codes from those of one begun anew."""
        super().__init__()
        self.settings, self.origin, self.made = settings, origin, made
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.flow = Flow(settings.config(codes))

    def state(self) -> dict[str, Any]:
        return {**{name: getattr(self.settings, name) for name in SIZES}, "codes": self.flow.config.codes, "tokenizer": self.origin, "codes_made": self.made}

    def manner(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self.settings).items() if name not in SIZES}

    def fields(self) -> list[str]:
        return ["tokens", "mel", "speaker"]

    def length(self, meta: dict[str, Any]) -> int:
        """Frames of mel, as many as both sides have."""
        return 2 * min(meta["frames"] // 2, meta["tokens"])

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Tensor]:
        """tokens [B, S], lengths [B] in tokens, mel [B, 2 S, 80], speaker [B, 192]; zeros where there is only padding."""
        lengths = [min(len(item["mel"]) // 2, len(item["tokens"])) for item in items]
        longest = max(lengths)
        return {
            "tokens": torch.stack([F.pad(item["tokens"][:n], (0, longest - n)) for item, n in zip(items, lengths, strict=True)]),
            "mel": torch.stack([F.pad(item["mel"][: 2 * n], (0, 0, 0, 2 * (longest - n))) for item, n in zip(items, lengths, strict=True)]),
            "speaker": torch.stack([item["speaker"] for item in items]),
            "lengths": torch.tensor(lengths),
        }

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, dict[str, float]]:
        if update == 0 and self.training:
            self._centre(batch)
        drawn = draw(self.settings, 2 * batch["lengths"].cpu(), self.flow.config.mel_bins, rng)
        loss = self.distance(batch, drawn)
        value = float(loss.detach())
        return loss, {"loss": value, "streaming" if drawn.streaming else "full": value}

    @torch.no_grad()
    def _centre(self, batch: dict[str, Tensor]) -> None:
        """Begin at the mean mel of the first batch, which is far from the mean of the noise."""
        inside = batch["mel"][within(2 * batch["lengths"], batch["mel"].shape[1])]
        self.flow.decoder.estimator.final_proj.bias.copy_(inside.mean(0))

    def distance(self, batch: dict[str, Tensor], drawn: Draw) -> Tensor:
        """Mean square between the estimated and the true velocity."""
        flow, mel, lengths = self.flow, batch["mel"], batch["lengths"]
        here = lambda x: x.to(mel.device)
        frames, kept = flow.config.token_mel_ratio * lengths, here(drawn.kept)[:, None, None]
        y, velocity = path(here(drawn.noise), mel, here(drawn.t), self.settings.sigma)
        mu = flow.encode(batch["tokens"], drawn.streaming, True, lengths)
        spks = flow.speaker(batch["speaker"])
        cond = mel * within(here(drawn.prompt), mel.shape[1])[..., None]
        given = (y.mT, (mu * kept).mT, here(drawn.t), spks * kept[:, 0], (cond * kept).mT)
        estimated = flow.decoder.estimator(*given, drawn.streaming, frames).mT.float()
        return masked_mse(estimated, velocity, within(frames, mel.shape[1]))


def trained(run: Run, best: int = 1) -> Flow:
    """The flow of a run, the mean of the checkpoints that validated best so far."""
    stage = Stage.existing(run, "flow")
    config = stage.record["config"]
    objective = FlowObjective(FlowSettings(**{name: config[name] for name in SIZES}), config["codes"])
    objective.load_state_dict(averaged_best(stage.folder, best)[0])
    return objective.flow.eval()


def build(run: Run, recipe: dict[str, Any]) -> Training:
    """`[flow]` and `[flow.train]` of the recipe. Codes of another tokenizer are another training."""
    settings, train = training(recipe, "flow", FlowSettings)
    encodes = [Stage.existing(each, "encode") for each in (run, *([run.beside(settings.also)] if settings.also else []))]
    own = encodes[0]
    origin = str(own.config.get("tokenizer", ""))
    objective = FlowObjective(settings, own.record["counts"]["codes"], train.seed, origin, fingerprint(own.config))
    parts = [Dataset(stage.run.path("features"), objective.fields(), tokens=stage.folder) for stage in encodes]
    return Training(objective, Joined(parts), train, encodes)
