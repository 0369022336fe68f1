"""
The voice's own text vocabulary: few merges, so that a small model sees spelling, in the file format of Qwen2's tokenizer.

In training a merge is now and then left out (BPE dropout, Provilkov et al. 2020), so that the model learns what a piece is
spelled like and not only the piece. The library's own dropout cannot be seeded; this one draws from the caller's generator.
"""

import random
import re
from collections.abc import Iterable
from pathlib import Path

from ..text import Tokenizer
from ..vocabulary import learn_vocabulary, read_vocabulary, write_vocabulary
from .layout import qualifies


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
