"""
Letter to sound, learned beside the language model: what the text positions of a middle layer know must spell the teacher's phonemes
(CTC). The head is thrown away after training.

Speech is dear and phonemes are not: the teacher's front end says them without speaking. So every sentence that the corpus could have
had takes part, the spoken ones and the many more that were never spoken, and these cost a few layers over a few text ids.
"""

import json
import multiprocessing
import os
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..lm import RmsNorm
from .corpus import CorpusSettings, plan
from .metrics import Report
from .recipe import build
from .run import Run, Stage, write_atomically
from .teachers import shares, teacher
from .tokenizer import edits

SLOTS = 4
"""Phonemes that one text position may say; it may leave them to later ones, having seen no letter after its own."""
MOST_SYMBOLS = 96
"""Room for phonemes: a corpus that grows may bring new ones, the head keeps its size."""
PIECE = 5000


def phonemes_of(names: str, texts: list[str]) -> list[str]:
    """Spelled by the first of the teachers."""
    voice = teacher(shares(names)[0][0])
    return [voice.phonemes(text) for text in texts]


def make_spelling(run: Run, wordnet: Path | None, processes: int = 0, restart: bool = False) -> Stage:
    """`lines.jsonl`: text and phonemes of every training sentence the corpus was planned with, spoken or not."""
    corpus = Stage.existing(run, "corpus")
    settings = build(CorpusSettings, corpus.config, "corpus")
    fixed = {key: value for key, value in corpus.config.items() if key not in corpus.grows}
    stage = Stage(run, "spelling", fixed)
    if stage.done() and not restart:
        return stage
    stage.begin(restart)
    texts = [row["text"] for row in plan(settings, wordnet) if row["split"] == "train"]
    pieces = [texts[i : i + PIECE] for i in range(0, len(texts), PIECE)]
    lines = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes or os.cpu_count() or 1, mp_context=context) as pool, Report("spelling", len(texts)) as report:
        for piece, spelled in zip(pieces, pool.map(phonemes_of, [settings.teacher] * len(pieces), pieces), strict=True):
            lines += [{"text": text, "phonemes": phonemes} for text, phonemes in zip(piece, spelled, strict=True) if phonemes]
            report.at(len(lines))
    write_atomically(stage.folder / "lines.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    words = {word for line in lines for word in line["text"].lower().split()}
    stage.finish({"sentences": len(lines), "word_types": len(words)})
    return stage


class SpellingBook:
    """Sentences to draw from; those with a symbol that the features do not know are left out."""

    def __init__(self, path: Path, symbols: list[str]):
        if len(symbols) > MOST_SYMBOLS:
            raise ValueError(f"{path.parent}: the features have {len(symbols)} phonemes, the speller has room for {MOST_SYMBOLS}")
        number = {symbol: i for i, symbol in enumerate(symbols)}
        with path.open(encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        known = [line for line in lines if all(symbol in number for symbol in line["phonemes"])]
        self.lines = [(line["text"], [number[symbol] for symbol in line["phonemes"]]) for line in known]

    def draw(self, count: int, chance: random.Random) -> list[tuple[str, list[int]]]:
        return [self.lines[chance.randrange(len(self.lines))] for _ in range(count)]


class Speller(nn.Module):
    """Hidden states at text positions -> phonemes; symbol 0 is CTC's blank."""

    def __init__(self, width: int, eps: float = 1e-6):
        super().__init__()
        self.norm = RmsNorm(width, eps)
        nn.init.ones_(self.norm.weight)
        self.out = nn.Linear(width, SLOTS * MOST_SYMBOLS)

    def forward(self, hidden: Tensor, places: Tensor) -> Tensor:
        """hidden [B, N, W], places [B, L], the positions that spell -> log-probabilities [SLOTS L, B, P]"""
        rows = hidden.gather(1, places[..., None].expand(-1, -1, hidden.shape[-1]))  # [B, L, W]
        logits = self.out(self.norm(rows)).unflatten(-1, (SLOTS, -1)).flatten(1, 2)
        return logits.float().log_softmax(-1).transpose(0, 1)


def spelling_loss(logprobs: Tensor, lengths: Tensor, phonemes: Tensor, counts: Tensor) -> Tensor:
    """Nats a phoneme. phonemes: of all rows, one after the other; counts [B]. A row with too few slots counts nothing."""
    return F.ctc_loss(logprobs, phonemes, lengths, counts, zero_infinity=True)


def spelling_error(logprobs: Tensor, lengths: Tensor, phonemes: Tensor, counts: Tensor) -> float:
    """Edits a phoneme of the best path."""
    wrong, start = 0, 0
    for row, length, count in zip(logprobs.argmax(-1).T.cpu(), lengths.tolist(), counts.tolist(), strict=True):
        said = torch.unique_consecutive(row[:length])
        wrong += edits(said[said != 0].tolist(), phonemes[start : start + count].tolist())
        start += count
    return wrong / max(1, start)
