"""Audio features: resampling, the mel of the flow, whisper's log-mel, Kaldi's filterbank."""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

ZERO_CROSSINGS, ROLLOFF = 6, 0.99


def resample(samples: Tensor, source_rate: int, target_rate: int) -> Tensor:
    """Windowed-sinc resampling [N] -> [ceil(N target / source)]; the kernel is computed in f64 and kept in f32."""
    if source_rate == target_rate:
        return samples
    gcd = math.gcd(source_rate, target_rate)
    o, n = source_rate // gcd, target_rate // gcd
    base = ROLLOFF * min(o, n)
    width = math.ceil(ZERO_CROSSINGS * o / base)
    taps = torch.arange(-width, width + o, dtype=torch.float64) / o
    phases = (-torch.arange(n, dtype=torch.float32) / n).double()
    t = ((phases[:, None] + taps[None]) * base).clamp(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    window = torch.cos(t * math.pi / ZERO_CROSSINGS / 2) ** 2
    kernel = (torch.sinc(t) * window * (base / o)).float()  # [n, taps]
    padded = F.pad(samples, (width, width + o))
    out = F.conv1d(padded[None, None], kernel[:, None], stride=o)[0].T.flatten()
    return out[: math.ceil(n * len(samples) / o)]


def hertz_to_slaney(f: Tensor) -> Tensor:
    return torch.where(f < 1000, f * 3 / 200, 15 + 27 * torch.log(f.clamp(min=1) / 1000) / math.log(6.4))


def slaney_to_hertz(m: Tensor) -> Tensor:
    return torch.where(m < 15, m * 200 / 3, 1000 * torch.exp((m - 15) * math.log(6.4) / 27))


@lru_cache(maxsize=8)
def slaney_filters(rate: int, n_fft: int, bins: int, low: float, high: float) -> Tensor:
    """[bins, n_fft / 2 + 1]: triangles of equal area on Slaney's mel scale."""
    ends = hertz_to_slaney(torch.tensor([low, high], dtype=torch.float64))
    corners = slaney_to_hertz(torch.linspace(float(ends[0]), float(ends[1]), bins + 2, dtype=torch.float64))
    centres = torch.arange(n_fft // 2 + 1, dtype=torch.float64) * rate / n_fft
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    triangle = torch.minimum((centres - left) / (centre - left), (right - centres) / (right - centre)).clamp(min=0)
    return (triangle * 2 / (right - left)).float()


def mel24k(samples: Tensor, rate: int = 24000, n_fft: int = 1920, hop: int = 480, bins: int = 80, high: float = 8000) -> Tensor:
    """[N] -> log-mel [N / hop, 80]"""
    pad = (n_fft - hop) // 2
    padded = F.pad(samples[None, None], (pad, pad), mode="reflect")[0]
    window = torch.hann_window(n_fft, periodic=True)
    spectrum = torch.stft(padded, n_fft, hop, n_fft, window, center=False, return_complex=True)[0]
    magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
    mel = slaney_filters(rate, n_fft, bins, 0, high) @ magnitude
    return mel.clamp(min=1e-5).log().T


def whisper_mel(samples: Tensor) -> Tensor:
    """16 kHz [N] -> [128, N / 160]; levels are relative to the loudest value of the whole utterance."""
    spectrum = torch.stft(samples, 400, 160, 400, torch.hann_window(400, periodic=True), return_complex=True)
    power = spectrum[:, :-1].abs() ** 2
    log = (slaney_filters(16000, 400, 128, 0, 8000) @ power).clamp(min=1e-10).log10()
    return (torch.maximum(log, log.max() - 8.0) + 4.0) / 4.0


@lru_cache(maxsize=2)
def _kaldi_filters(bins: int, n_fft: int, rate: int, low: float) -> Tensor:
    """[bins, n_fft / 2 + 1]: triangles that are linear in mel; the bin at half the rate is unused."""
    mel = lambda f: 1127.0 * torch.log1p(f / 700.0)
    edges = mel(torch.tensor([low, rate / 2], dtype=torch.float64))
    step = (edges[1] - edges[0]) / (bins + 1)
    left = edges[0] + torch.arange(bins, dtype=torch.float64)[:, None] * step
    points = mel(torch.arange(n_fft // 2, dtype=torch.float64) * rate / n_fft)[None]
    triangle = torch.minimum((points - left) / step, (left + 2 * step - points) / step).clamp(min=0)
    return F.pad(triangle, (0, 1)).float()


def fbank(samples: Tensor, bins: int = 80) -> Tensor:
    """16 kHz [N] -> [1 + (N - 400) / 160, 80], the mean over frames removed."""
    frames = samples.unfold(0, 400, 160)
    frames = frames - frames.mean(1, keepdim=True)
    frames = frames - 0.97 * torch.cat([frames[:, :1], frames[:, :-1]], 1)
    frames = frames * torch.hann_window(400, periodic=False) ** 0.85
    power = torch.fft.rfft(F.pad(frames, (0, 112))).abs() ** 2
    log = (power @ _kaldi_filters(bins, 512, 16000, 20.0).T).clamp(min=torch.finfo(torch.float32).eps).log()
    return log - log.mean(0, keepdim=True)
