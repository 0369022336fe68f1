"""
The vocoder's source, led by a recording: its sines move with the recording's own fundamental, in pitch and in phase.

A recording's pulses may lie anywhere in their period, so a source of another phase asks for pulses elsewhere than the recording has
them. Short windows punish that, and what the network learns from it is to leave its source alone and draw every frame by itself: it
buzzes. With the phase given, both lie together, and of the lowest harmonics even the waveform is known.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import VocoderConfig

WINDOW, HOP = 1200, 60
"""Samples, at 24 kHz. The Hann window passes 40 Hz beside the fundamental; harmonics lie further away."""
UNVOICED = 150.0
"""Hz where a whole crop has no pitch. Not heard: the source is noise there."""


def led_sines(c: VocoderConfig, f0: Tensor, audio: Tensor) -> Tensor:
    """
    f0 [B, M] in Hz, 0 unvoiced; audio [B, N] -> sines [B, N, 9] in place of `SourceModule.sines`: where the fundamental of `audio` is
    cos(x), they are sin(x), sin(2 x), ...
    """
    cycles = torch.cumsum(_filled(f0).double() * c.samples_per_frame / c.sample_rate, -1)
    cycles = F.interpolate(cycles[:, None], scale_factor=c.samples_per_frame, mode="linear")[:, 0] % 1
    turning = torch.polar(torch.ones_like(cycles), 2 * math.pi * cycles).to(torch.complex64)
    ahead = _slow(audio * turning.conj())
    fundamental = turning * ahead / ahead.abs().clamp(min=1e-9)
    powers = torch.cumprod(fundamental[..., None].expand(*fundamental.shape, c.overtones + 1), -1)
    return powers.imag * c.sine_amp


def _filled(f0: Tensor) -> Tensor:
    """Unvoiced frames get the value of the nearest voiced one, so that the window has a pitch to follow at the edges."""
    places = torch.arange(f0.shape[-1], device=f0.device)
    distance = (places[:, None] - places).abs() + len(places) * (f0 <= 0)[:, None]
    near = f0.gather(1, distance.argmin(-1))
    return torch.where(near > 0, near, UNVOICED)


def _slow(x: Tensor) -> Tensor:
    """[B, N] complex, without what turns fast: the mean under the window every HOP samples, straight lines between."""
    window = torch.hann_window(WINDOW + 1, periodic=False, device=x.device)
    rows = F.pad(torch.view_as_real(x).mT.flatten(0, 1)[:, None], (WINDOW // 2, WINDOW // 2 + HOP))
    means = F.conv1d(rows, window[None, None] / window.sum(), stride=HOP)
    lines = F.interpolate(means, size=(means.shape[-1] - 1) * HOP + 1, mode="linear", align_corners=True)
    return torch.view_as_complex(lines[:, 0, : x.shape[-1]].reshape(len(x), 2, -1).mT.contiguous())
