"""Checkpoints of one training: the last ones to go on from, the best ones to ship."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from .run import Stage


def _atomically(path: Path, write) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    write(temporary)
    os.replace(temporary, path)


class Checkpoints:
    """`last-<update>.pt` holds everything a resume needs, `best-<update>.safetensors` the weights that validated best."""

    def __init__(self, folder: Path, keep_last: int = 2, keep_best: int = 3):
        self.folder, self.keep_last, self.keep_best = folder, keep_last, keep_best
        folder.mkdir(parents=True, exist_ok=True)

    def last(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob("last-*.pt"))

    def best(self) -> list[tuple[float, Path]]:
        """(validation score, file), the lowest score first."""
        return sorted((float(read_metadata(path)["score"]), path) for path in self.folder.glob("best-*.safetensors"))

    def save(self, update: int, state: dict[str, Any]) -> None:
        _atomically(self.folder / f"last-{update:08d}.pt", lambda path: torch.save(state, path))
        for path in self.last()[: -self.keep_last]:
            path.unlink()

    def load(self) -> dict[str, Any] | None:
        """The newest whole state, on the CPU; nothing in it is executed."""
        files = self.last()
        return torch.load(files[-1], map_location="cpu", weights_only=True) if files else None

    def offer(self, update: int, score: float, weights: dict[str, Tensor]) -> bool:
        """Keep the weights if they are among the best; True if they are the very best."""
        path = self.folder / f"best-{update:08d}.safetensors"
        before = [(s, p) for s, p in self.best() if p != path]
        if len(before) >= self.keep_best and score >= before[self.keep_best - 1][0]:
            return False
        metadata = {"score": repr(score), "update": str(update)}
        tensors = {name: value.detach().cpu().clone().contiguous() for name, value in weights.items()}
        _atomically(path, lambda temporary: save_file(tensors, temporary, metadata))
        for _, loser in self.best()[self.keep_best :]:
            loser.unlink()
        return not before or score < before[0][0]

    def forget_best(self) -> None:
        for _, path in self.best():
            path.unlink()


def read_metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as f:
        return f.metadata() or {}


def _none_yet(folder: Path) -> FileNotFoundError:
    return FileNotFoundError(f"{folder}: no validated checkpoint yet; train longer than one validation interval")


def best_files(folder: Path, count: int = 1) -> list[Path]:
    """The checkpoints of a training's folder that validated best, at least one."""
    ranked = [path for _, path in Checkpoints(folder / "checkpoints").best()[:count]]
    if not ranked:
        raise _none_yet(folder)
    return ranked


def recorded_best(stage: Stage) -> dict[str, Any]:
    """{"score", "file"} of a training's best checkpoint, by its record."""
    best = stage.record["counts"].get("best")
    if not best:
        raise _none_yet(stage.folder)
    return best


def best_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a training's folder that validated best."""
    return load_file(best_files(folder)[0])


def average(files: Iterable[Path]) -> dict[str, Tensor]:
    """Mean of the floating-point tensors; whole-number buffers are taken from the first file."""
    states = [load_file(path) for path in files]
    if not states:
        raise ValueError("nothing to average")
    for state in states[1:]:
        if state.keys() != states[0].keys():
            raise ValueError(f"checkpoints differ in their tensors: {sorted(state.keys() ^ states[0].keys())[:3]}")
    mean = lambda name: sum(s[name].double() for s in states) / len(states)
    return {name: mean(name).to(first.dtype) if first.is_floating_point() else first for name, first in states[0].items()}


def averaged_best(folder: Path, count: int) -> tuple[dict[str, Tensor], list[str]]:
    """Mean of the `count` best checkpoints of a training's folder, and their names."""
    files = best_files(folder, count)
    return average(files), [path.name for path in files]


def describe(folder: Path) -> str:
    """One JSON line for a report: best files with their scores."""
    return json.dumps([{"file": path.name, "score": score} for score, path in Checkpoints(folder / "checkpoints").best()])
