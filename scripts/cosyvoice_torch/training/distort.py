"""
The same speech from another throat, through another microphone, in another room: for what has to hear through that. Of the tokenizer's
log-mel directly, which costs little; of samples where the pitch and the mel have to be computed anew.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..features import hertz_to_slaney, slaney_to_hertz

TOP = 8000.0  # Hz, of the mel
FLOOR = 8.0  # log10 below the loudest value
WARP = (0.85, 1.18)
SILENT = 1e-10


class Dice:
    def __init__(self, rng: torch.Generator):
        self.rng = rng

    def chance(self, share: float) -> bool:
        return float(torch.rand((), generator=self.rng)) < share

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.rng))

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.rng)


def along_frequency(log: Tensor, factor: float) -> Tensor:
    """log [F, K] on Slaney's mel scale -> what was at f is at factor f; what comes in from above the band is as its edge."""
    bins = log.shape[1]
    top = float(hertz_to_slaney(torch.tensor(TOP)))
    step = top / (bins + 1)
    hertz = slaney_to_hertz(step * torch.arange(1, bins + 1, dtype=torch.float64)) / factor
    place = (hertz_to_slaney(hertz) / step - 1).clamp(0, bins - 1)
    low = place.long().clamp(max=bins - 2)
    weight = (place - low).float()
    return log[:, low] * (1 - weight) + log[:, low + 1] * weight


def curve(points: int, decibels: float, dice: Dice) -> Tensor:
    """[points]: a smooth response with random humps, at most about `decibels` each way."""
    x = torch.linspace(0, 1, points)
    waves = [dice.between(-1, 1) * torch.cos(math.pi * (n + 1) * x + dice.between(0, 2 * math.pi)) for n in range(4)]
    return decibels * (dice.between(-1, 1) * (x - 0.5) + sum(waves) / 3)


def echoed(power: Tensor, amount: float, frames: float) -> Tensor:
    """power [F, K] with a tail of `amount` of itself that falls by e in `frames`."""
    length = min(len(power), round(4 * frames))
    tail = torch.exp(-torch.arange(1, length + 1) / frames)
    kernel = torch.cat([torch.ones(1), amount * tail / tail.sum()]).flip(0)
    return F.conv1d(F.pad(power.T[:, None], (length, 0)), kernel[None, None])[:, 0].T


def distorted(mel: Tensor, rng: torch.Generator) -> Tensor:
    """The tokenizer's log-mel [F, 128] -> another one of the same shape; a different one for every state of rng."""
    dice = Dice(rng)
    log = 4 * mel - 4  # log10 of the power
    frames, bins = log.shape
    if dice.chance(0.7):
        log = along_frequency(log, dice.between(*WARP))
    if dice.chance(0.6):
        log = log + curve(bins, 6.0, dice) / 10
    power = 10**log
    if dice.chance(0.3):
        power = echoed(power, dice.between(0.05, 0.6), dice.between(4, 25))
    if dice.chance(0.5):
        shape = 10 ** (curve(bins, 10.0, dice) / 10)
        grains = -(dice.uniform(frames, bins).clamp(min=1e-6).log() + dice.uniform(frames, bins).clamp(min=1e-6).log()) / 2
        power = power + power.mean() * 10 ** (-dice.between(8, 45) / 10) * shape / shape.mean() * grains
    if dice.chance(0.25):
        hertz = slaney_to_hertz(torch.linspace(0, float(hertz_to_slaney(torch.tensor(TOP))), bins + 2, dtype=torch.float64))[1:-1].float()
        octaves = torch.log2(hertz / dice.between(2800, 7500)).clamp(min=0)
        power = power * 10 ** (-dice.between(20, 120) * octaves / 10)
    gain = dice.between(-15, 10) / 10 if dice.chance(0.7) else 0.0
    log = power.clamp(min=SILENT).log10() + gain
    return (torch.maximum(log, log.max() - FLOOR) + 4) / 4


def recorded(samples: Tensor, rng: torch.Generator, rate: int = 16000) -> Tensor:
    """Samples [N] -> as another microphone would have them: its response, a band limit, noise."""
    dice = Dice(rng)
    size = 1 << (len(samples) - 1).bit_length()
    spectrum = torch.fft.rfft(samples, size)
    hertz = torch.linspace(0, rate / 2, len(spectrum))
    gains = torch.zeros(len(spectrum))
    if dice.chance(0.7):
        gains = gains + curve(len(spectrum), 6.0, dice)
    if dice.chance(0.3):
        gains = gains - dice.between(10, 60) * torch.log2((hertz / dice.between(2800, rate / 2)).clamp(min=1))
    if dice.chance(0.2):
        gains = gains - dice.between(10, 40) * torch.log2((dice.between(60, 250) / hertz.clamp(min=1)).clamp(min=1))
    out = torch.fft.irfft(spectrum * 10 ** (gains / 20), size)[: len(samples)]
    if dice.chance(0.5):
        level = out.square().mean().sqrt() * 10 ** (-dice.between(12, 45) / 20)
        out = out + level * torch.randn(len(out), generator=rng)
    return out
