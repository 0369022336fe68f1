"""
Weights made from their names. `hash` is a fixed rule that any language reproduces bit for bit; `random` is Gaussian with the
gains of a voice, so that pitch, loudness and the peaks of the language model land where real ones do.
"""

import math
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

BLOCK = 1 << 20
"""Elements made at a time; bounds the memory of a large tensor."""

LENGTH_ENDINGS = ("original0", "weight_g")


def fnv1a(name: str) -> int:
    """32-bit FNV-1a of the UTF-8 bytes."""
    h = 0x811C9DC5
    for byte in name.encode():
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return h


def hash_values(name: str, start: int, count: int) -> np.ndarray:
    """float64 in [-1, 1): elements start .. start + count - 1 of the stream that belongs to a name."""
    with np.errstate(over="ignore"):
        x = (np.arange(start, start + count, dtype=np.uint64) * 0x9E3779B1 + fnv1a(name)).astype(np.uint32)
        x ^= x >> 16
        x *= np.uint32(0x85EBCA6B)
        x ^= x >> 13
        x *= np.uint32(0xC2B2AE35)
        x ^= x >> 16
    return x / 2.0**31 - 1.0


def hash_input(name: str, *shape: int) -> Tensor:
    """A test input: the plain values in f32, row-major."""
    return torch.from_numpy(hash_values(name, 0, math.prod(shape)).astype(np.float32)).reshape(shape)


def _rule(name: str, shape: torch.Size) -> tuple[float, float]:
    """(centre, half-width) of the uniform values of a tensor; the first rule that matches."""
    if name.endswith(LENGTH_ENDINGS):
        return 1.0, 0.1
    if name.endswith(("running_var", ".alpha")):
        return 1.0, 0.5
    if len(shape) >= 2:
        return 0.0, math.sqrt(3.0 / math.prod(shape[1:]))
    if name.endswith("weight"):
        return 1.0, 0.1
    return 0.0, 0.1


def fill_hash(name: str, out: Tensor) -> None:
    centre, width = _rule(name, out.shape)
    flat = out.view(-1)
    for start in range(0, flat.numel(), BLOCK):
        values = hash_values(name, start, min(BLOCK, flat.numel() - start))
        flat[start : start + len(values)] = torch.from_numpy((centre + values * width).astype(np.float32))


GAINS: dict[str, tuple[float, float]] = {
    "llm_decoder.weight": (3.0, 0.0),
    "f0_predictor.classifier.weight": (15.0, 0.0),
    "f0_predictor.classifier.bias": (1.0, 150.0),
    "conv_post.parametrizations.weight.original0": (0.3, 0.0),
    "conv_post.bias": (1.0, -1.0),
}
"""name -> (factor, offset): a peaked language model, pitch near 150 Hz, samples well inside the clamp."""


def fill_random(seed: int) -> Callable[[str, Tensor], None]:
    def fill(name: str, out: Tensor) -> None:
        centre, width = _rule(name, out.shape)
        factor, offset = GAINS.get(name, (1.0, 0.0))
        generator = torch.Generator().manual_seed(fnv1a(f"{seed}:{name}"))
        out.normal_(centre, width / math.sqrt(3.0), generator=generator).mul_(factor).add_(offset)
        if name.endswith("running_var"):
            out.clamp_(min=centre - width)  # a variance is positive

    return fill


def materialise(shapes: Iterable[tuple[str, torch.Size]], fill: Callable[[str, Tensor], None], scratch: Path) -> dict[str, Tensor]:
    """Every tensor lives in its own file under `scratch`, so that a large checkpoint needs no heap."""
    out = {}
    for name, shape in shapes:
        path = tempfile.NamedTemporaryFile(dir=scratch, delete=False).name
        out[name] = torch.from_file(path, shared=True, size=math.prod(shape), dtype=torch.float32).view(shape)
        fill(name, out[name])
    return out
