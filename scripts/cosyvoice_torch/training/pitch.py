"""
Fundamental frequency, one value per mel frame: the teacher's own curve, or YIN for recordings that come without one.

Value t is the pitch at sample 480 t, where frame t begins and not at its centre: the vocoder's source interpolates phases between the
centres of frames, so it sounds value t from sample 480 t - 240 to 480 t + 240 (upstream's pyworld curve lies the same way). Half a
frame later, the eighth harmonic would miss the recording's by 20 Hz wherever the pitch moves, and the vocoder learns to ignore its source.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

MEL_HOP, TEACHER_HOP = 480, 300


def at_mel_frames(f0: Tensor, frames: int) -> Tensor:
    """[K] Hz at samples 300 k + 150, 0 unvoiced -> [frames] at samples 480 t.

    Between two voiced values it interpolates; else it takes the nearer one.
    """
    position = (torch.arange(frames) * MEL_HOP / TEACHER_HOP - 0.5).clamp(0, len(f0) - 1)
    left = position.floor().long()
    right = (left + 1).clamp(max=len(f0) - 1)
    weight = position - left
    both = (f0[left] > 0) & (f0[right] > 0)
    return torch.where(both, f0[left] * (1 - weight) + f0[right] * weight, torch.where(weight < 0.5, f0[left], f0[right]))


def yin(audio: Tensor, rate: int = 24000, low: float = 60.0, high: float = 500.0, threshold: float = 0.2) -> Tensor:
    """[N] -> [N / 480] Hz, 0 where unvoiced (de Cheveigne and Kawahara 2002, without the refinement of step 6)."""
    frames = len(audio) // MEL_HOP
    longest, shortest = int(rate / low), int(rate / high)
    window = 2 * longest
    padded = F.pad(audio, (window // 2, window + longest))
    blocks = padded.unfold(0, window + longest, MEL_HOP)[:frames]
    size = 1 << (window + longest).bit_length()
    whole, head = torch.fft.rfft(blocks, size), torch.fft.rfft(blocks[:, :window], size)
    correlation = torch.fft.irfft(whole * head.conj(), size)[:, : longest + 1]
    power = F.pad(blocks.square().cumsum(1), (1, 0))
    energy = power[:, window : window + longest + 1] - power[:, : longest + 1]
    difference = (energy[:, :1] + energy - 2 * correlation).clamp(min=0)
    lags = torch.arange(1, longest + 1)
    normal = difference[:, 1:] * lags / difference[:, 1:].cumsum(1).clamp(min=1e-9)  # of lag 1, 2, ...
    normal = normal[:, shortest - 1 :]
    below = normal < threshold
    first = below.float().argmax(1)
    # from the first lag under the threshold down to the bottom of that dip
    rising = F.pad(normal[:, 1:] > normal[:, :-1], (0, 1), value=True)
    after = torch.arange(normal.shape[1])[None] >= first[:, None]
    best = (rising & after).float().argmax(1)
    edge = best.clamp(1, normal.shape[1] - 2)
    a, b, c = (normal.gather(1, (edge + d)[:, None])[:, 0] for d in (-1, 0, 1))
    shift = ((a - c) / (2 * (a - 2 * b + c)).clamp(min=1e-9)).clamp(-0.5, 0.5)
    lag = edge + shift + shortest
    loud = blocks[:, :window].square().mean(1).sqrt() > 1e-3
    return torch.where(below.any(1) & loud, rate / lag, torch.zeros(()))
