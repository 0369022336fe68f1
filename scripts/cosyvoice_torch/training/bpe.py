"""
The voice's own text vocabulary: few merges, so that a small model sees spelling, in the file format of Qwen2's tokenizer.

In training a merge is now and then left out (BPE dropout, Provilkov et al. 2020), so that the model learns what a piece is
spelled like and not only the piece. The library's own dropout cannot be seeded; this one draws from the caller's generator.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..text import Tokenizer
from ..vocabulary import learn_vocabulary, read_vocabulary, text_rows, write_vocabulary
from .corpus import read_manifest
from .layout import qualifies
from .run import Run, Stage


def train_bpe(texts: Iterable[str], merges: int, folder: Path) -> "Bpe":
    """Learns from the texts and writes `vocab.json`, `merges.txt` and `tokenizer_config.json` into `folder`."""
    vocab, learned = learn_vocabulary(texts, merges)
    write_vocabulary(folder, vocab, learned, header=True)
    return Bpe(folder)


class Bpe:
    def __init__(self, folder: Path):
        self.folder = folder
        self.tokenizer = Tokenizer(folder)
        self.vocab, merges = read_vocabulary(folder)
        self._rank = {tuple(merge.split(" ")): i for i, merge in enumerate(merges)}
        self._added = {token.content: i for i, token in self.tokenizer.added.items()}
        longest_first = sorted(self._added, key=len, reverse=True)
        self._split = re.compile("(" + "|".join(re.escape(name) for name in longest_first) + ")")

    def encode(self, text: str) -> list[int]:
        """As the engine does."""
        return self.tokenizer.encode(text)

    def encode_with_dropout(self, text: str, dropout: float, chance: random.Random) -> list[int]:
        """The same text spelled with fewer merges: each merge that could be made is passed over with this probability."""
        out: list[int] = []
        for part in self._split.split(text):
            if part in self._added:
                out.append(self._added[part])
            elif part:
                for word in self.tokenizer.words(part):
                    out += (self.vocab[symbol] for symbol in self._merge(list(word), dropout, chance))
        return out

    def _merge(self, symbols: list[str], dropout: float, chance: random.Random) -> list[str]:
        while True:
            best, at = len(self._rank), -1
            for i in range(len(symbols) - 1):
                rank = self._rank.get((symbols[i], symbols[i + 1]), best)
                if rank < best and chance.random() >= dropout:
                    best, at = rank, i
            if at < 0:
                return symbols
            symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]


def bistream_share(lengths: Iterable[tuple[int, int]], mix: tuple[int, int] = (5, 15)) -> float:
    """Share of the (text ids, speech ids) pairs that can be laid out in blocks."""
    answers = [qualifies(text, speech, mix) for text, speech in lengths]
    return sum(answers) / max(1, len(answers))


@dataclass
class BpeSettings:
    """`[bpe]` of a recipe."""

    merges: int = 512


def make_bpe(run: Run, settings: BpeSettings, restart: bool = False) -> Stage:
    """
    The vocabulary stage: learned from the texts of the training split alone. A corpus that has grown since keeps its vocabulary,
    because the ids of a language model in training must not move.
    """
    features = Stage.existing(run, "features")
    stage = Stage(run, "bpe", settings, [features])
    if stage.status == "done" and stage.record["config"] == stage.config and not restart:
        return stage
    stage.begin(restart)
    rows = [row for row in read_manifest(features.folder / "index.jsonl") if row["split"] == "train"]
    bpe = train_bpe((row["text"] for row in rows), settings.merges, stage.folder)
    lengths = [(len(bpe.encode(row["text"])), row["frames"] // 2) for row in rows]
    ratios = sorted(speech / text for text, speech in lengths)
    at = lambda share: round(ratios[min(len(ratios) - 1, int(share * len(ratios)))], 2)
    counts = {"texts": len(rows), "merges": len(bpe.vocab) - 256, "rows": text_rows(bpe.vocab)}
    spread = {"least": at(0), "thousandth": at(0.001), "median": at(0.5), "last_thousandth": at(0.999), "most": at(1)}
    stage.finish({**counts, "bistream_share": round(bistream_share(lengths), 4), "codes_per_text_id": spread})
    return stage
