"""Features on disk: `FOLDER/<field>/00000.safetensors`, one tensor per utterance, memory-mapped on reading."""

import json
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


def write_shard(folder: Path, field: str, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    """One more shard of a field; whole or not at all."""
    target = folder / field
    target.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(p.stem) for p in target.glob("*.safetensors")), default=-1)
    return write_shard_as(target / f"{number:05d}.safetensors", tensors, metadata)


def write_shard_as(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    save_file({k: v.contiguous() for k, v in tensors.items()}, temporary, metadata)
    os.replace(temporary, path)
    return path


def shard_names(path: Path) -> dict[str, list[int]]:
    """Names and shapes in a shard, from its header alone."""
    with path.open("rb") as f:
        (length,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(length))
    return {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}


class Shards:
    """All shards of some fields; tensors are read on demand."""

    def __init__(self, folder: Path, fields: Iterable[str]):
        self.folder = folder
        self.index: dict[str, dict[str, Path]] = {}
        self.shapes: dict[str, dict[str, list[int]]] = {}
        for field in fields:
            self.index[field], self.shapes[field] = {}, {}
            for path in sorted((folder / field).glob("*.safetensors")):
                shapes = shard_names(path)
                self.shapes[field].update(shapes)
                self.index[field].update(dict.fromkeys(shapes, path))
        self._open: dict[Path, object] = {}

    def has(self, field: str, name: str) -> bool:
        return name in self.index[field]

    def get(self, field: str, name: str) -> Tensor:
        path = self.index[field].get(name)
        if path is None:
            raise KeyError(f"{self.folder / field}: no tensor for utterance {name}")
        if path not in self._open:
            self._open[path] = safe_open(path, "pt")
        return self._open[path].get_tensor(name)

    def __getstate__(self):
        return {**self.__dict__, "_open": {}}


def as_training_dtype(tensor: Tensor) -> Tensor:
    """f16 -> f32, 16-bit audio -> f32 in [-1, 1), codes -> int64."""
    if tensor.dtype == torch.float16:
        return tensor.float()
    if tensor.dtype == torch.int16:
        return tensor.float() / 32768
    if tensor.dtype == torch.int32:
        return tensor.long()
    return tensor
