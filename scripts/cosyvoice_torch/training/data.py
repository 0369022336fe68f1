"""Utterances with their features, and length-bucketed batches with true epochs.

A features folder holds `index.jsonl` (one line per utterance: id, split, speaker, text, phonemes, seconds, frames),
`phonemes.json` (the teacher's symbols; id 0 is CTC's blank) and the shards of `shards.py`.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .shards import Shards, as_training_dtype

SHARDED = ("mel", "audio", "f0", "whisper", "tokens")
FIELDS = (*SHARDED, "text", "phonemes", "person", "speaker")
SPEAKER_DIM = 192


def speaker_vector(name: str) -> Tensor:
    """[192], unit length, drawn from the speaker's name: tells speakers apart where no encoder has heard them."""
    letters = name.encode()
    short = letters if len(letters) <= 7 else hashlib.sha256(letters).digest()[:7]
    seed = int.from_bytes(short.ljust(7, b"\0"), "little")
    vector = torch.randn(SPEAKER_DIM, generator=torch.Generator().manual_seed(seed))
    return vector / vector.norm()


class Dataset:
    """
    Items of one or all splits. `fields`: which of FIELDS each item carries; an utterance that lacks one is left out. "person" is drawn
    from the speaker's name, "speaker" is what the speaker encoder says of the utterance, or the former in a run that has no encoder.
    """

    def __init__(self, folder: Path | str, fields: list[str], split: str | None = None, tokens: Path | str | None = None):
        self.folder, self.fields = Path(folder), list(fields)
        unknown = set(fields) - set(FIELDS)
        if unknown:
            raise ValueError(f"unknown field {', '.join(sorted(unknown))}: must be among {', '.join(FIELDS)}")
        self.tokens_folder = Path(tokens) if tokens else self.folder.parent / "encode"
        self.shards = Shards(self.folder, [f for f in fields if f in SHARDED and f != "tokens"])
        self.codes = Shards(self.tokens_folder, ["tokens"] if "tokens" in fields else [])
        embedded = self.folder.parent / "embed"
        self.vectors = Shards(embedded, ["speaker"] if "speaker" in fields and embedded.exists() else [])
        self.stored = [f for f in fields if f in SHARDED or f in self.vectors.index]  # in shards; the others follow from the index
        symbols = self.folder / "phonemes.json"
        self.phonemes: list[str] = json.loads(symbols.read_text()) if symbols.exists() else []
        self.phoneme_ids = {symbol: i for i, symbol in enumerate(self.phonemes)}
        self.items: list[dict[str, Any]] = []
        with (self.folder / "index.jsonl").open(encoding="utf8") as f:
            for line in f:
                meta = json.loads(line)
                if all(self._source(field).has(field, meta["id"]) for field in self.stored):
                    if "tokens" in fields:
                        meta["tokens"] = self.codes.shapes["tokens"][meta["id"]][0]
                    self.items.append(meta)
        self.all = self.items
        if split is not None:
            self.items = [meta for meta in self.all if meta["split"] == split]
        self._speakers: dict[str, Tensor] = {}
        self._named: dict[str, dict[str, Any]] | None = None
        self._same: tuple[list, dict[str, list[int]]] | None = None

    def _source(self, field: str) -> Shards:
        return {"tokens": self.codes, "speaker": self.vectors}.get(field, self.shards)

    def split(self, name: str) -> "Dataset":
        """The same data, only the items of one split: "train", "valid" or "test"."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.items = [meta for meta in self.all if meta["split"] == name]
        return other

    def __len__(self) -> int:
        return len(self.items)

    def of_speaker(self, name: str) -> list[int]:
        """Which items are this speaker's. @raises ValueError when none is"""
        if self._same is None or self._same[0] is not self.items:
            places: dict[str, list[int]] = {}
            for i, meta in enumerate(self.items):
                places.setdefault(meta["speaker"], []).append(i)
            self._same = (self.items, places)
        if name not in self._same[1]:
            raise ValueError(f"speaker {name}: no utterance of the corpus is his")
        return self._same[1][name]

    def by_name(self, name: str) -> dict[str, Any]:
        if self._named is None:
            self._named = {meta["id"]: meta for meta in self.all}
        return self._named[name]

    def meta(self, i: int) -> dict[str, Any]:
        """{"id", "split", "speaker", "text", "phonemes", "seconds", "frames" (mel), "tokens" (if asked for)}"""
        return self.items[i]

    def __getitem__(self, i: int) -> dict[str, Any]:
        return self.item(self.items[i])

    def item(self, meta: dict[str, Any], fields: list[str] | None = None) -> dict[str, Any]:
        """`fields`: only these of its own."""
        item: dict[str, Any] = {"id": meta["id"], "by": meta["speaker"]}
        for field in fields or self.fields:
            if field in self.stored:
                item[field] = as_training_dtype(self._source(field).get(field, meta["id"]))
            elif field == "text":
                item[field] = meta["text"]
            elif field == "phonemes":
                item[field] = torch.tensor([self.phoneme_ids[p] for p in meta["phonemes"]], dtype=torch.long)
            else:  # "person", or "speaker" without an encoder
                name = meta["speaker"]
                self._speakers.setdefault(name, speaker_vector(name))
                item[field] = self._speakers[name]
        return item


def with_others_before(data: Dataset, indices: list[int], share: float, rng: torch.Generator, always: Callable[[str], bool] | None = None) -> list[dict[str, Any]]:
    """
    The items; `share` of them, and all of the speakers for whom `always` holds, have another utterance of the same speaker as "before".
    """
    items = []
    for i in indices:
        item, meta = data[i], data.meta(i)
        if float(torch.rand((), generator=rng)) < share or (always and always(meta["speaker"])):
            same = data.of_speaker(meta["speaker"])
            other = same[int(torch.randint(max(1, len(same) - 1), (), generator=rng))]
            item["before"] = data[same[-1] if other == i else other]  # itself only where it is the speaker's only one
        items.append(item)
    return items


def in_order(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The utterance before, where there is one, and the item."""
    return [part for part in (item.get("before"), item) if part]


class Batches:
    """Batches of similar length, each utterance exactly once per epoch; the order is a function of seed and epoch alone.

    `budget`: a batch holds at most budget / (its longest length) utterances, at least one.
    Within windows of `window` batches utterances are sorted by length; then the order of the batches is shuffled.
    """

    def __init__(self, lengths: list[int], budget: int, seed: int, window: int = 50):
        if not lengths:
            raise ValueError("no utterances to make batches of: has the features stage run?")
        self.lengths, self.budget, self.seed, self.window = lengths, budget, seed, window
        self.epoch, self.position = 0, 0
        self._made: tuple[int, list[list[int]]] | None = None

    def of_epoch(self, epoch: int) -> list[list[int]]:
        if self._made and self._made[0] == epoch:
            return self._made[1]
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.lengths), generator=rng).tolist()
        mean = max(1, sum(self.lengths) // len(self.lengths))
        span = max(1, self.window * max(1, self.budget // mean))
        batches: list[list[int]] = []
        for start in range(0, len(order), span):
            batch: list[int] = []
            for i in sorted(order[start : start + span], key=lambda i: self.lengths[i]):
                if batch and (len(batch) + 1) * self.lengths[i] > self.budget:
                    batches.append(batch)
                    batch = []
                batch.append(i)
            batches.append(batch)
        shuffled = [batches[i] for i in torch.randperm(len(batches), generator=rng).tolist()]
        self._made = (epoch, shuffled)
        return shuffled

    def next(self) -> list[int]:
        """Indices of the next batch; rolls over into the next epoch."""
        if self.position >= len(self.of_epoch(self.epoch)):
            self.epoch, self.position = self.epoch + 1, 0
        batch = self.of_epoch(self.epoch)[self.position]
        self.position += 1
        return batch

    def state(self) -> dict[str, int]:
        return {"epoch": self.epoch, "position": self.position, "utterances": len(self.lengths)}

    def load(self, state: dict[str, int]) -> bool:
        """False if the data has changed since: then the epoch starts anew."""
        same = state["utterances"] == len(self.lengths)
        self.epoch, self.position = (state["epoch"], state["position"]) if same else (state["epoch"] + 1, 0)
        return same

    @property
    def passes(self) -> float:
        """Epochs so far, with the fraction of the running one."""
        return self.epoch + self.position / len(self.of_epoch(self.epoch))
