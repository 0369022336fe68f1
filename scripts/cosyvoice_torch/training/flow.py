"""
The flow's objective: conditional flow matching along straight paths from noise to mel (CosyVoice 2, section 2.4; Lipman et al. 2023),
with conditions dropped for guidance, a prompt of random length, and chunk masks half of the time. Some utterances follow another one
of the same speaker, whose mel may then be the prompt, as when a voice is cloned.
"""

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..checkpoint import Model, trainable
from ..config import EstimatorConfig, FlowConfig
from ..encoder import within
from ..flow import Flow
from .checkpoints import averaged_best
from .data import Dataset, in_order, with_others_before
from .recipe import training
from .run import Run, Stage, fingerprint
from .train import Training
from .trainer import Numbers, Objective

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
    start: str = ""  # a release in the official layout to go on from: its sizes then hold
    pairs: float = 0.0  # share of utterances that follow another one of the same speaker

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


def draw(settings: FlowSettings, frames: Tensor, longest: int, mel_bins: int, rng: torch.Generator, first: Tensor | None = None) -> Draw:
    """
    frames [B]: lengths of the utterances, `longest` of them, on the generator's device. `first` [B]: frames of an utterance before
    the one that counts, which are then the prompt where there is one; 0 where there is none before.
    """
    b = len(frames)
    uniform = lambda: torch.rand(b, generator=rng, device=rng.device)
    t = uniform()
    if settings.schedule == "cosine":
        t = 1 - torch.cos(t * math.pi / 2)
    most = (settings.longest_prompt * frames).floor()
    prompt = (uniform() * (most + 1)).floor().minimum(most)
    if first is not None:
        prompt = torch.where(first > 0, first, prompt)
    has_prompt = uniform() < settings.prompt
    return Draw(
        t,
        torch.randn(b, longest, mel_bins, generator=rng, device=rng.device),
        uniform() >= settings.drop,
        torch.where(has_prompt, prompt, 0.0).long(),
        float(torch.rand((), generator=rng, device=rng.device)) < settings.streaming,
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
    later = ("codes_made", "start")

    def __init__(self, settings: FlowSettings, codes: int, seed: int = 0, origin: str = "", made: str = "", flow: Flow | None = None):
        """`origin`: the tokenizer the codes come from; `made`: what tells these codes from those of one begun anew; `flow`: to go on from."""
        super().__init__()
        self.settings, self.origin, self.made = settings, origin, made
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.flow = flow or Flow(settings.config(codes))
            if flow is None:  # what says who speaks must be as loud as what says which sound; the vectors have unit length
                nn.init.normal_(self.flow.spk_embed_affine_layer.weight)

    def state(self) -> dict[str, Any]:
        return {**{name: getattr(self.settings, name) for name in SIZES}, "codes": self.flow.config.codes, "tokenizer": self.origin, "codes_made": self.made, "start": self.settings.start}

    def manner(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self.settings).items() if name not in (*SIZES, "start")}

    def fields(self) -> list[str]:
        return ["tokens", "mel", "speaker"]

    def length(self, meta: dict[str, Any]) -> int:
        """Frames of mel, as many as both sides have."""
        return 2 * min(meta["frames"] // 2, meta["tokens"])

    def gather(self, data: Dataset, indices: list[int], rng: torch.Generator, training: bool) -> list[dict[str, Any]]:
        return with_others_before(data, indices, self.settings.pairs if training else 0.0, rng)

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Tensor]:
        """
        tokens [B, S], lengths [B] in tokens, mel [B, 2 S, 80], speaker [B, 192], first [B]: frames of an utterance before; zeros
        where there is only padding.
        """
        tokens, mels, speakers, first = [], [], [], []
        for item in items:
            parts = in_order(item)
            lengths = [min(len(part["mel"]) // 2, len(part["tokens"])) for part in parts]
            tokens.append(torch.cat([part["tokens"][:n] for part, n in zip(parts, lengths, strict=True)]))
            mels.append(torch.cat([part["mel"][: 2 * n] for part, n in zip(parts, lengths, strict=True)]))
            speakers.append(parts[0]["speaker"])
            first.append(2 * lengths[0] if len(parts) > 1 else 0)
        return {
            "tokens": pad_sequence(tokens, batch_first=True),
            "mel": pad_sequence(mels, batch_first=True),
            "speaker": torch.stack(speakers),
            "lengths": torch.tensor([len(row) for row in tokens]),
            "first": torch.tensor(first),
        }

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, Numbers]:
        if update == 0 and self.training and not self.settings.start:
            self._centre(batch)
        here = lambda x: x.to(rng.device)
        drawn = draw(self.settings, here(2 * batch["lengths"]), batch["mel"].shape[1], self.flow.config.mel_bins, rng, here(batch["first"]))
        loss = self.distance(batch, drawn)
        value = loss.detach()
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


def fine_tuned(settings: FlowSettings, codes: int) -> tuple[FlowSettings, Flow]:
    """A release's own flow, and the settings with its sizes. @raises ValueError when it reads other codes"""
    release = Model(Path(settings.start))
    flow = release.flow
    if flow.config.codes != codes:
        raise ValueError(f"{release.folder}: its flow knows {flow.config.codes} speech codes, the corpus has {codes}")
    c, e = flow.config, flow.config.estimator
    sizes = {name: getattr(c, name) for name in ("input_width", "width", "heads", "ffn", "blocks", "up_blocks", "mel_bins")}
    sizes |= {"channels": e.channels, "estimator_heads": e.heads, "estimator_head_dim": e.head_dim, "estimator_blocks": e.blocks, "mid_blocks": e.mid_blocks}
    return replace(settings, **sizes), trainable(flow)


def build(run: Run, recipe: dict[str, Any]) -> Training:
    """`[flow]` and `[flow.train]` of the recipe. Codes of another tokenizer are another training."""
    settings, train = training(recipe, "flow", FlowSettings)
    encode = Stage.existing(run, "encode")
    origin = str(encode.config.get("tokenizer", ""))
    codes, made = encode.record["counts"]["codes"], fingerprint(encode.config)
    flow = None
    if settings.start:
        settings, flow = fine_tuned(settings, codes)
    objective = FlowObjective(settings, codes, train.seed, origin, made, flow)
    data = Dataset(run.path("features"), objective.fields(), tokens=encode.folder)
    heard = [Stage.existing(run, "embed")] if run.path("embed").exists() else []
    if heard and heard[0].status != "done":
        raise ValueError(f"{heard[0].folder}: not every utterance has its vector yet; embed goes on")
    return Training(objective, data, train, [encode, *heard])
