"""
The order of text and speech in one training sequence of the language model (upstream: `Qwen2LM.prepare_lm_input_target`).

A sequence mixes rows of three tables: marks (SOS, TASK), text and speech. `kinds` says which table, `ids` which row; `targets`
is what the model must say after reading that row, `IGNORE` where nothing is asked.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..lm import SOS, TASK

IGNORE = -1
MARK, TEXT, SPEECH, PAD = 0, 1, 2, 3
"""Values of `kinds`."""


@dataclass(frozen=True)
class Layout:
    """Three tensors [N], int64."""

    kinds: Tensor
    ids: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.ids)


class _Writer:
    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int]] = []

    def add(self, kind: int, ids: list[int], targets: list[int]) -> None:
        self.rows += [(kind, row, target) for row, target in zip(ids, targets, strict=True)]

    def finish(self) -> Layout:
        return Layout(*torch.tensor(self.rows, dtype=torch.int64).T)


def unistream(text: list[int], speech: list[int], codes: int) -> Layout:
    """sos, text, task, speech; the targets are the speech and then eos. Length 2 + L + S. `codes`: how many speech ids are codes."""
    out = _Writer()
    out.add(MARK, [SOS], [IGNORE])
    out.add(TEXT, text, [IGNORE] * len(text))
    _ending(out, speech, codes)
    return out.finish()


def bistream(text: list[int], speech: list[int], codes: int, mix: tuple[int, int] = (5, 15)) -> Layout:
    """
    Blocks of 5 text and 15 speech ids; the last speech id of a block is followed by FILL, which is asked for and never read. The
    rest of the text (0 to 4 ids), TASK and the rest of the speech come last. Length 2 + L + S.
    """
    n_text, n_speech = mix
    if not qualifies(len(text), len(speech), mix):
        needed = f"more than {n_speech / n_text:g} for each are needed"
        raise ValueError(f"bistream: {len(speech)} speech ids for {len(text)} text ids; {needed}")
    fill = codes + 2
    out = _Writer()
    out.add(MARK, [SOS], [IGNORE])
    while len(text) >= n_text:
        # The last text id of a block already asks for the first speech id.
        out.add(TEXT, text[:n_text], [IGNORE] * (n_text - 1) + speech[:1])
        out.add(SPEECH, speech[:n_speech], speech[1:n_speech] + [fill])
        text, speech = text[n_text:], speech[n_speech:]
    out.add(TEXT, text, [IGNORE] * len(text))
    _ending(out, speech, codes)
    return out.finish()


def _ending(out: _Writer, speech: list[int], codes: int) -> None:
    asked = speech + [codes]
    out.add(MARK, [TASK], asked[:1])
    out.add(SPEECH, speech, asked[1:])


def continued(layout: Layout, before: int, codes: int) -> Layout:
    """The same sequence, of whose first `before` speech ids, and of what fills between them, nothing is asked."""
    asked = (layout.targets != IGNORE) & (layout.targets < codes)
    return Layout(layout.kinds, layout.ids, torch.where(asked.cumsum(0) + (~asked).int() <= before, IGNORE, layout.targets))


def qualifies(text: int, speech: int, mix: tuple[int, int] = (5, 15)) -> bool:
    """Whether every full block of text finds its speech: strictly more than 3 speech ids for one of text."""
    return text > 0 and speech * mix[0] > text * mix[1]


def pad(layouts: list[Layout]) -> Layout:
    """[B, N] each; what follows a sequence is PAD, row 0, with no target. Causal attention never looks there."""
    width = max(len(layout) for layout in layouts)
    fill = lambda values, value: torch.stack([torch.nn.functional.pad(v, (0, width - len(v)), value=value) for v in values])
    return Layout(
        fill([layout.kinds for layout in layouts], PAD),
        fill([layout.ids for layout in layouts], 0),
        fill([layout.targets for layout in layouts], IGNORE),
    )
