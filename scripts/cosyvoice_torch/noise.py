"""The fixed noise of the flow: torch's normal generator at seed 0, 80 rows of 15000 frames."""

from functools import cache

import torch
from torch import Tensor

NOISE_FRAMES = 15000


@cache
def noise_table(mel_bins: int = 80, frames: int = NOISE_FRAMES) -> Tensor:
    """[80, 15000]"""
    return torch.randn([1, mel_bins, frames], generator=torch.Generator().manual_seed(0))[0]


def flow_noise(frames: int, mel_bins: int = 80) -> Tensor:
    """[80, M]; the same for every utterance."""
    if frames > NOISE_FRAMES:
        raise ValueError(f"flow noise: {frames} frames asked, the table has {NOISE_FRAMES} (300 s)")
    return noise_table(mel_bins)[:, :frames]
