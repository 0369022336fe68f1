"""Distances between sounds: spectra at several resolutions and the mel, which ignore phase, and the waveform of the lowest harmonics."""

import torch
from torch import Tensor, nn

from ..features import slaney_filters

RESOLUTIONS = (1920, 960, 480, 240, 120)
FLOOR = 1e-7
"""Added to powers: about the rounding noise of 16-bit audio, so that nothing is learned of digital silence."""


class SpectralLoss(nn.Module):
    """
    Spectral convergence and log-magnitude L1, the mean over five window lengths (Yamamoto et al. 2020, section 2.2), hops of a quarter
    window; and the L1 of the log-mel with 80 bins up to half the rate, on the spectra of the longest window.
    """

    def __init__(self, rate: int = 24000, mel_bins: int = 80):
        super().__init__()
        for n in RESOLUTIONS:
            self.register_buffer(f"window_{n}", torch.hann_window(n), persistent=False)
        self.register_buffer("filters", slaney_filters(rate, RESOLUTIONS[0], mel_bins, 0, rate / 2), persistent=False)

    def magnitude(self, samples: Tensor, n: int) -> Tensor:
        """[B, N] -> [B, n / 2 + 1, 4 N / n + 1]"""
        spectrum = torch.stft(samples, n, n // 4, n, getattr(self, f"window_{n}"), return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square() + FLOOR).sqrt()

    def forward(self, fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """[B, N] each, `fake` trained -> (spectral distance, mel distance)"""
        spectral = mel = fake.new_zeros(())
        for n in RESOLUTIONS:
            x = self.magnitude(fake, n)
            with torch.no_grad():
                y = self.magnitude(real, n)
            convergence = ((x - y).square().sum((1, 2)) / y.square().sum((1, 2))).sqrt().mean()
            spectral = spectral + (convergence + (x.log() - y.log()).abs().mean()) / len(RESOLUTIONS)
            if n == RESOLUTIONS[0]:
                log_mel = lambda magnitude: (self.filters @ magnitude).clamp(min=1e-5).log()
                mel = (log_mel(x) - log_mel(y)).abs().mean()
        return spectral, mel


class LowWave(nn.Module):
    """
    Relative distance of the waveforms below TOP, taken on complex spectra, for sounds whose fundamentals have the same phase. With half
    of it the fourth harmonic stays a noise; up to 4 kHz, what cannot be foretold there pulls the mel away from the recording's.
    """

    TOP, WINDOW = 1500.0, 960  # Hz, samples

    def __init__(self, rate: int = 24000):
        super().__init__()
        self.bins = int(self.TOP * self.WINDOW / rate) + 1
        self.register_buffer("window", torch.hann_window(self.WINDOW), persistent=False)

    def spectrum(self, samples: Tensor) -> Tensor:
        """[B, N] -> [B, 61, 4 N / 960 + 1, 2]"""
        n = self.WINDOW
        return torch.view_as_real(torch.stft(samples, n, n // 4, n, self.window, return_complex=True)[:, : self.bins])

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """[B, N] each -> the root of the wrong power over the power, the mean over rows"""
        y = self.spectrum(real)
        wrong = (self.spectrum(fake) - y).square().sum((1, 2, 3))
        return ((wrong + 1e-3) / (y.square().sum((1, 2, 3)) + 1e-3)).sqrt().mean()
