"""
The vocoder's objective: crops of mel to samples, judged by spectra, the mel and the pitch, and from `adversarial_from` on by
discriminators. The generator is `vocoder.py`'s, fed with the noise it has when it speaks. While the recording leads its source
(`lead.py`; upstream's never does) the waveform of the lowest harmonics counts too.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ..checkpoint import Model, trainable
from ..config import VocoderConfig
from ..vocoder import Hift
from .checkpoints import averaged_best
from .data import Dataset
from .discriminators import Discriminators, discriminator_loss, generator_loss
from .lead import led_sines
from .recipe import training
from .run import Run, Stage
from .stft_loss import LowWave, SpectralLoss
from .train import Training
from .trainer import Numbers, Objective

BEFORE = 100.0
"""Added to the rank of what no discriminator has trained yet: distances alone would prefer its duller sound."""


@dataclass
class VocoderSettings:
    """`[vocoder]` of a recipe. Mel, discriminators and their features weigh as upstream's (45 : 1 : 4), over 45 for the sake of clipping."""

    base: int = 96
    f0_width: int = 96
    crop: int = 32  # mel frames
    lead: int = 1_000_000  # updates in which the source has the recording's pitch and phase, before it has the predicted pitch; 0: never, as upstream
    others: int = 12  # utterances beside those of the batch that the pitch predictor learns from; upstream: 0
    spectral_weight: float = 0.5
    mel_weight: float = 1.0
    f0_weight: float = 0.01  # of the distance in Hz
    wave_weight: float = 0.5  # of the lowest harmonics' waveform
    adversarial_from: int = 0  # update; 0: never
    adversarial_weight: float = 1 / 45
    matching_weight: float = 4 / 45
    start: str = ""  # a release in the official layout to go on from: its sizes then hold
    judged: int = 0  # crops of a batch that the discriminators see; 0: all
    period_width: int = 16
    spectrum_width: int = 16


class VocoderObjective(Objective):
    name = "vocoder"
    later = ("start",)
    select = "rank"

    def __init__(self, settings: VocoderSettings, seed: int = 0, generator: Hift | None = None):
        """`generator`: to go on from"""
        super().__init__()
        self.settings = settings
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.generator = generator or Hift(VocoderConfig(settings.base, settings.f0_width))
            self.discriminators = Discriminators(settings.period_width, settings.spectrum_width)
            if generator is None:
                predictor = self.generator.f0_predictor.classifier
                nn.init.normal_(predictor.weight, std=100 / settings.f0_width**0.5)  # Hz
                nn.init.constant_(predictor.bias, 100.0)
        self.spectral = SpectralLoss(self.generator.config.sample_rate, self.generator.config.mel_bins)
        self.wave = LowWave(self.generator.config.sample_rate)

    def turns(self) -> dict[str, list[nn.Parameter]]:
        return {"discriminator": list(self.discriminators.parameters()), "generator": list(self.generator.parameters())}

    def state(self) -> dict[str, Any]:
        s = self.settings
        return {"base": s.base, "f0_width": s.f0_width, "period_width": s.period_width, "spectrum_width": s.spectrum_width, "start": s.start}

    def manner(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self.settings).items() if name not in self.state()}

    def fields(self) -> list[str]:
        return ["mel", "audio", "f0"]

    def length(self, meta: dict[str, Any]) -> int:
        """Frames of a crop, whatever the utterance; 0 if it is shorter."""
        return self.settings.crop if meta["frames"] >= self.settings.crop else 0

    def gather(self, data: Dataset, indices: list[int], rng: torch.Generator, training: bool) -> list[dict[str, Any]]:
        """Those that are heard as crops, and others without audio, of which only the pitch is learned."""
        others = torch.randint(len(data), (self.settings.others if training else 0,), generator=rng).tolist()
        return [*(data[i] for i in indices), *(data.item(data.meta(i), ["mel", "f0"]) for i in others)]

    def collate(self, items: list[dict[str, Any]], rng: torch.Generator, training: bool) -> dict[str, Tensor]:
        """mel [B, M, 80], f0 [B, M], audio [B, N]: a random crop of each; whole_mel [C, T, 80], whole_f0 [C, T] of all, -1 behind their ends."""
        crop, hop = self.settings.crop, self.generator.config.samples_per_frame
        rows: dict[str, list[Tensor]] = {"mel": [], "f0": [], "audio": []}
        for item in items:
            if "audio" not in item:
                continue
            start = int(torch.randint(0, len(item["mel"]) - crop + 1, (), generator=rng))
            rows["mel"].append(item["mel"][start : start + crop])
            rows["f0"].append(item["f0"][start : start + crop])
            rows["audio"].append(item["audio"][start * hop : (start + crop) * hop])
        whole = {f"whole_{name}": pad_sequence([item[name] for item in items], True, end) for name, end in (("mel", 0.0), ("f0", -1.0))}
        return {name: torch.stack(values) for name, values in rows.items()} | whole

    def led(self, update: int) -> bool:
        """A validation is led throughout if the training ever is, so that its scores can be compared."""
        return update < self.settings.lead or not self.training and self.settings.lead > 0

    def speak(self, batch: dict[str, Tensor], rng: torch.Generator, update: int) -> Tensor:
        """-> samples [B, N]; nothing reaches the pitch predictor through the source (upstream: no_grad)."""
        mel, hift = batch["mel"], self.generator
        noise = torch.randn(*batch["audio"].shape, hift.config.overtones + 1, generator=rng, device=rng.device).to(mel.device)
        with torch.autocast(mel.device.type, enabled=False):  # errors of the pitch grow with time
            if self.led(update):
                source = hift.m_source(batch["f0"], noise, led_sines(hift.config, batch["f0"], batch["audio"]))
            else:
                with torch.no_grad():
                    f0 = hift.f0(mel)
                source = hift.m_source(f0, noise)
        return hift.decode(mel, source)

    def pitch(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """How far the predicted pitch is off: in Hz over all frames ("f0") and over the voiced ones, and the share that is wrongly voiced."""
        with torch.autocast(batch["mel"].device.type, enabled=False):
            predicted = self.generator.f0(batch["whole_mel"])
        true, least = batch["whole_f0"], self.generator.config.voiced_threshold
        reach = self.generator.config.f0_layers  # frames so near the end of an utterance hear what is behind it in the batch
        frames = F.pad(true, (0, reach), value=-1.0)[:, reach:] >= 0
        off, voiced = (predicted - true).abs(), frames & (true > least)
        mean = lambda values, where: (values * where).sum() / where.sum().clamp(min=1)
        wrong = ((predicted > least) != (true > least)).float()
        return {"f0": mean(off, frames), "voiced_f0": mean(off, voiced), "voicing": mean(wrong, frames)}

    def adversarial(self, update: int) -> bool:
        return bool(self.settings.adversarial_from) and update >= self.settings.adversarial_from

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator, turn: str, update: int) -> tuple[Tensor, Numbers]:
        s, against = self.settings, self.training and self.adversarial(update)
        if turn == "discriminator" and not against:
            return batch["audio"].new_zeros(()), {}
        some = slice(s.judged or None)
        self.discriminators.requires_grad_(turn == "discriminator")  # no gradients for weights that do not move
        if turn == "discriminator":
            batch["made"] = self.speak(batch, rng, update)  # the generator's turn needs it too
            loss = discriminator_loss(self.discriminators(batch["audio"][some]), self.discriminators(batch["made"][some].detach()))
            return loss, {"discriminator": loss.detach()}
        fake, real = batch.pop("made") if against else self.speak(batch, rng, update), batch["audio"]
        spectral, mel = self.spectral(fake, real)
        pitch = self.pitch(batch)
        loss = near = s.spectral_weight * spectral + s.mel_weight * mel + s.f0_weight * pitch["f0"]
        numbers = {"spectral": spectral, "mel": mel, **pitch}
        if self.led(update):
            wave = self.wave(fake, real)
            loss = loss + s.wave_weight * wave
            numbers |= {"wave": wave}
        if against:
            adversarial, matching = generator_loss(self.discriminators(real[some]), self.discriminators(fake[some]))
            loss = loss + s.adversarial_weight * adversarial + s.matching_weight * matching
            numbers |= {"adversarial": adversarial, "matching": matching}
        if not self.training:
            numbers["rank"] = near + (0.0 if self.adversarial(update) else BEFORE)
            # Near 0, it draws harmonics and noise from the mel alone, frame by frame, and buzzes.
            without = self.generator.decode(batch["mel"], torch.zeros_like(real))
            numbers["source"] = (fake - without).square().mean().sqrt() / fake.square().mean().sqrt().clamp(min=1e-9)
        return loss, {"loss": loss.detach(), **{name: value.detach() for name, value in numbers.items()}}


def trained(run: Run, best: int = 1) -> Hift:
    """The vocoder of a run, the mean of the checkpoints that validated best so far."""
    stage = Stage.existing(run, "vocoder")
    kept = ("base", "f0_width", "period_width", "spectrum_width")
    objective = VocoderObjective(VocoderSettings(**{name: stage.record["config"][name] for name in kept}))
    objective.load_state_dict(averaged_best(stage.folder, best)[0])
    return objective.generator.eval()


def build(run: Run, recipe: dict[str, Any]) -> Training:
    """`[vocoder]` and `[vocoder.train]` of the recipe, on the run's features."""
    settings, train = training(recipe, "vocoder", VocoderSettings)
    features = Stage.existing(run, "features")
    generator = None
    if settings.start:
        generator = trainable(Model(Path(settings.start)).vocoder)
        settings = replace(settings, base=generator.config.base, f0_width=generator.config.f0_width)
    objective = VocoderObjective(settings, train.seed, generator)
    return Training(objective, Dataset(features.folder, objective.fields()), train, [features])
