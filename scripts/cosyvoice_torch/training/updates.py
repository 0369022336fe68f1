"""What one update of a training depends on: its seeds, its learning rate, whether it is the last for now."""

import hashlib
import signal
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


def seed_of(*parts: Any) -> int:
    """56 bits of a hash: the same in every process."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "little")


def rate(settings: Any, update: int) -> float:
    """Factor of the learning rate in update 0, 1, ...: linear warm-up, then linear decay to zero; `settings`: TrainSettings."""
    if update < settings.warmup:
        return (update + 1) / settings.warmup
    if settings.decay == "constant":
        return 1.0
    return max(0.0, (settings.updates - update) / max(1, settings.updates - settings.warmup))


@contextmanager
def interruptible():
    """SIGTERM and Ctrl-C set a flag instead of killing; yields a function that reads it."""
    asked: list[int] = []
    handler = lambda number, frame: asked.append(number)
    old = {}
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            old[number] = signal.signal(number, handler)
    except ValueError:  # not the main thread: the caller stops us otherwise
        pass
    try:
        yield lambda: bool(asked)
    finally:
        for number, previous in old.items():
            signal.signal(number, previous)


def to_device(value: Any, device: torch.device) -> Any:
    return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
