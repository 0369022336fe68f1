"""
Discriminators of the vocoder: over the periods of the waveform (Kong et al. 2020, section 2.3) and over spectrograms of three
resolutions (Jang et al. 2021). Both give a score map and the feature maps before it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)
SPECTRA = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))
"""(FFT, hop, window)"""

Judged = tuple[Tensor, list[Tensor]]


class PeriodDiscriminator(nn.Module):
    """Folds the waveform to [N / period, period] and convolves along the first axis. The released sizes have `width` 32."""

    def __init__(self, period: int, width: int):
        super().__init__()
        self.period = period
        channels = (1, width, 4 * width, 16 * width, 32 * width, 32 * width)
        conv = lambda i, stride: weight_norm(nn.Conv2d(channels[i], channels[i + 1], (5, 1), (stride, 1), (2, 0)))
        self.convs = nn.ModuleList(conv(i, 3 if i < 4 else 1) for i in range(5))
        self.post = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, samples: Tensor) -> Judged:
        """[B, N]"""
        x = F.pad(samples[:, None], (0, -samples.shape[1] % self.period), mode="reflect")
        return _judge(x.unflatten(2, (-1, self.period)), self.convs, self.post)


class SpectrumDiscriminator(nn.Module):
    """Convolves over time and frequency of a magnitude spectrogram. The released sizes have `width` 32."""

    def __init__(self, fft: int, hop: int, window: int, width: int):
        super().__init__()
        self.fft, self.hop = fft, hop
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        conv = lambda inside, kernel, stride: weight_norm(nn.Conv2d(inside, width, kernel, stride, (kernel[0] // 2, kernel[1] // 2)))
        strides = ((1, 1), (1, 2), (1, 2), (1, 2))
        self.convs = nn.ModuleList(conv(width if i else 1, (3, 9), s) for i, s in enumerate(strides))
        self.convs.append(conv(width, (3, 3), (1, 1)))
        self.post = weight_norm(nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, samples: Tensor) -> Judged:
        """[B, N]"""
        spectrum = torch.stft(samples, self.fft, self.hop, len(self.window), self.window, return_complex=True)
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()
        return _judge(magnitude.mT[:, None], self.convs, self.post)


def _judge(x: Tensor, convs: nn.ModuleList, post: nn.Module) -> Judged:
    features = []
    for conv in convs:
        x = F.leaky_relu(conv(x), 0.1)
        features.append(x)
    x = post(x)
    return x.flatten(1), [*features, x]


class Discriminators(nn.Module):
    """All of them. `period_width`, `spectrum_width`: 32 each in the released recipe; a cost of their square."""

    def __init__(self, period_width: int, spectrum_width: int):
        super().__init__()
        periods = [PeriodDiscriminator(p, period_width) for p in PERIODS]
        self.all = nn.ModuleList(periods + [SpectrumDiscriminator(*s, spectrum_width) for s in SPECTRA])

    def forward(self, samples: Tensor) -> list[Judged]:
        return [one(samples) for one in self.all]


def truncated(real: Tensor, fake: Tensor, tau: float = 0.04) -> Tensor:
    """Pointwise relativistic loss over pairs that are out of order, at most tau (upstream: `tpr_loss`)."""
    gap = real - fake
    below = (gap - gap.median()).clamp(max=0)
    return tau - F.relu(tau - below.square().sum() / (below < 0).sum().clamp(min=1))


def discriminator_loss(real: list[Judged], fake: list[Judged]) -> Tensor:
    """Least squares: 1 for the real, 0 for the made."""
    loss = torch.zeros((), device=real[0][0].device)
    for (r, _), (f, _) in zip(real, fake, strict=True):
        loss = loss + (1 - r).square().mean() + f.square().mean() + truncated(r, f)
    return loss


def generator_loss(real: list[Judged], fake: list[Judged]) -> tuple[Tensor, Tensor]:
    """(adversarial, feature matching)"""
    adversarial = matching = torch.zeros((), device=fake[0][0].device)
    for (r, real_maps), (f, fake_maps) in zip(real, fake, strict=True):
        adversarial = adversarial + (1 - f).square().mean() + truncated(f, r)
        for a, b in zip(real_maps, fake_maps, strict=True):
            matching = matching + (a - b).abs().mean()
    return adversarial, matching
