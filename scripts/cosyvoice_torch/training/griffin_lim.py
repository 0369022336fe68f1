"""Mel to sound without a network, to hear what a mel holds (Griffin and Lim 1984, with the momentum of Perraudin 2013)."""

import torch
from torch import Tensor

from ..features import slaney_filters

N_FFT, HOP, RATE = 1920, 480, 24000


def griffin_lim(mel: Tensor, rounds: int = 60, momentum: float = 0.99, fit: int = 100) -> Tensor:
    """[T, 80] log-mel (features.mel24k) -> [480 T] samples, the same every time."""
    filters = slaney_filters(RATE, N_FFT, mel.shape[1], 0, 8000).T.contiguous()
    wanted = mel.exp()
    magnitude = (wanted @ torch.linalg.pinv(filters)).clamp(min=0) + 1e-6
    for _ in range(fit):  # multiplicative updates keep it non-negative while it comes to agree with the mel
        magnitude = magnitude * (wanted @ filters.T) / (magnitude @ filters @ filters.T).clamp(min=1e-9)
    window = torch.hann_window(N_FFT)
    magnitude = magnitude.T.contiguous()
    rng = torch.Generator().manual_seed(0)
    phase = torch.polar(torch.ones_like(magnitude), 2 * torch.pi * torch.rand(magnitude.shape, generator=rng))
    before = torch.zeros_like(phase)
    length = HOP * (magnitude.shape[1] - 1)
    for _ in range(rounds):
        sound = torch.istft(magnitude * phase, N_FFT, HOP, window=window, length=length)
        again = torch.stft(sound, N_FFT, HOP, window=window, return_complex=True)
        turned = again + momentum * (again - before)
        phase = turned / turned.abs().clamp(min=1e-9)
        before = again
    sound = torch.istft(magnitude * phase, N_FFT, HOP, window=window, length=length)
    return torch.nn.functional.pad(sound, (HOP // 2, HOP - HOP // 2))  # a frame of mel24k is centred half a hop later
