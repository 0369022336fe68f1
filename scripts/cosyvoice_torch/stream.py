"""Tokens to samples, in one piece or by the official chunk schedule. The harmonic source is silent noise-wise, so both are deterministic."""

from collections.abc import Iterator

import torch
from torch import Tensor

from .flow import Flow
from .vocoder import Hift

FIRST_HOP, MAX_HOP, MEL_CACHE = 25, 100, 8
"""Tokens of the first hop and of the largest; mel frames a non-final chunk holds back."""


def whole(flow: Flow, vocoder: Hift, token: Tensor, prompt_token: Tensor, prompt_feat: Tensor, embedding: Tensor) -> Tensor:
    """[N]: full attention, one vocoder call."""
    mel = flow(token, prompt_token, prompt_feat, embedding, streaming=False, finalize=True).mel
    return vocoder(mel.T, torch.zeros(0))[0]


def hops(prompt_tokens: int, tokens: int, lookahead: int) -> list[tuple[int, int]]:
    """(offset, length) of every non-final chunk. The first is padded so that prompt + chunk is a multiple of the hop."""
    pad = -prompt_tokens % FIRST_HOP
    plan, offset, hop = [], 0, FIRST_HOP
    while tokens - offset >= (length := hop + pad if offset == 0 else hop) + lookahead:
        plan.append((offset, length))
        offset, hop = offset + length, min(MAX_HOP, 2 * hop)
    return plan


class VocoderStream:
    """What is carried from chunk to chunk: mel frames, source samples and the samples to fade from."""

    def __init__(self, vocoder: Hift):
        self.vocoder = vocoder
        self.held = MEL_CACHE * vocoder.config.samples_per_frame
        self.window = torch.hamming_window(2 * self.held, periodic=False, dtype=torch.float64)
        self.mel: Tensor | None = None
        self.source = torch.zeros(0)
        self.samples = torch.zeros(0)

    def push(self, mel: Tensor, final: bool) -> Tensor:
        """mel [M, 80] of this chunk -> samples to emit"""
        mel = mel if self.mel is None else torch.cat([self.mel, mel])
        out, source = self.vocoder(mel, self.source)
        if self.mel is not None:
            new, old = self.window[: self.held], self.window[self.held :]
            faded = (out[: self.held] * new + self.samples * old).float()
            out = torch.cat([faded, out[self.held :]])
        if final:
            return out
        self.mel, self.source, self.samples = mel[-MEL_CACHE:], source[-self.held :], out[-self.held :]
        return out[: -self.held]


def stream(
    flow: Flow, vocoder: Hift, token: Tensor, prompt_token: Tensor, prompt_feat: Tensor, embedding: Tensor
) -> Iterator[Tensor]:
    """Every emitted chunk. The last one is computed with full attention over everything."""
    ratio, lookahead = flow.config.token_mel_ratio, flow.config.lookahead
    state, offset = VocoderStream(vocoder), 0
    for offset, length in hops(len(prompt_token), len(token), lookahead):
        head = token[: offset + length + lookahead]
        mel = flow(head, prompt_token, prompt_feat, embedding, streaming=True, finalize=False).mel
        yield state.push(mel[:, ratio * offset :].T, final=False)
        offset += length
    mel = flow(token, prompt_token, prompt_feat, embedding, streaming=False, finalize=True).mel
    yield state.push(mel[:, ratio * offset :].T, final=True)
