"""
Text to speech tokens and to sound with a run's own trainings, to hear and judge what each adds, before anything is exported.

| by | what is heard |
| --- | --- |
| griffin-lim | the language model's codes through the tokenizer's mel decoder and Griffin-Lim |
| flow | the same codes through the flow, then Griffin-Lim |
| vocoder | the whole chain, as the engine speaks |
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..flow import Flow
from ..lm import Qwen2LM, nucleus
from ..official_yaml import Sampling
from ..text import Tokenizer, normalize
from ..vocoder import Hift
from .data import speaker_vector
from .encode import stored_vector
from .griffin_lim import griffin_lim
from .listen import vocoded
from .run import Run

RATE = 24000
BY = ("griffin-lim", "flow", "vocoder")


def repetition_aware(logprobs: Tensor, history: list[int], s: Sampling, rng: torch.Generator) -> int:
    """One id from log-probabilities [V] (upstream: `ras_sampling`): a draw that the window has heard often enough is drawn anew."""
    ids, probs = nucleus(logprobs, s.top_p, s.top_k)
    chosen = int(ids[torch.multinomial(probs, 1, generator=rng)])
    if history[-s.win_size :].count(chosen) >= s.win_size * s.tau_r:
        rest = logprobs.clone()
        rest[chosen] = float("-inf")
        chosen = int(torch.multinomial(rest.softmax(-1), 1, generator=rng))
    return chosen


@torch.inference_mode()
def codes_of(lm: Qwen2LM, text: list[int], sampling: Sampling, rng: torch.Generator | None) -> list[int]:
    """Speech codes for text ids; greedy without `rng`. Ends at eos, or at the most codes the text may have."""
    eos = lm.config.speech_codes
    least, most = int(len(text) * sampling.min_token_text_ratio), int(len(text) * sampling.max_token_text_ratio)
    session, x, out = lm.session(), lm.prompt(torch.tensor(text), torch.tensor([], dtype=torch.long)), []
    while len(out) < most:
        logprobs = session.step(x)
        logprobs[eos + 1 :] = float("-inf")  # ids of the streamed order
        if len(out) < least:
            logprobs[eos] = float("-inf")
        chosen = int(logprobs.argmax()) if rng is None else repetition_aware(logprobs, out, sampling, rng)
        if chosen == eos:
            break
        out.append(chosen)
        x = lm.speech_embedding(torch.tensor([chosen]))
    return out


@dataclass
class Speaker:
    """What turns text into sound. `sound`: codes [S] -> samples [N] at 24 kHz; `seed` none is greedy."""

    lm: Qwen2LM
    tokenizer: Tokenizer
    sampling: Sampling
    sound: Callable[[Tensor], Tensor]
    seed: int | None = None

    def segments(self, text: str) -> list[list[int]]:
        """Text ids of what is spoken in one piece each."""
        return [self.tokenizer.encode(segment) for segment in normalize(self.tokenizer, text, self.sampling.segment_length)[1]]

    def say(self, text: str) -> tuple[Tensor, list[int]]:
        """(samples, codes) of all segments in a row"""
        pieces, codes = [torch.zeros(0)], []
        for ids in self.segments(text):
            rng = None if self.seed is None else torch.Generator().manual_seed(self.seed)
            said = codes_of(self.lm, ids, self.sampling, rng)
            if said:
                pieces.append(self.sound(torch.tensor(said)))
            codes += said
        return torch.cat(pieces), codes


def levels_of(codes: Tensor, dims: int) -> Tensor:
    """[S] -> [S, dims] of -1, 0, 1: the digits in base 3, the least significant first."""
    return (codes[:, None] // 3 ** torch.arange(dims) % 3 - 1).float()


def sounds(run: Run, recipe: dict[str, Any], by: str, speaker: str, best: int) -> Callable[[Tensor], Tensor]:
    """Codes to samples by the parts that `by` names."""
    from .export import trained

    if by not in BY:
        raise ValueError(f"by {by}: must be one of {', '.join(BY)}")
    part = lambda name, kind: next(m for m in trained(run, recipe, name, best).objective.modules() if isinstance(m, kind))
    if by == "griffin-lim":
        decoder = trained(run, recipe, "tokenizer", 1).objective.decoder
        dims = decoder.project_out.in_features
        person = speaker_vector(speaker)[None]
        return lambda codes: griffin_lim(decoder(levels_of(codes, dims)[None], torch.ones(1, len(codes), 1), person)[1][0])
    flow, embedding = part("flow", Flow), stored_vector(run, speaker)
    none, no_mel = torch.zeros(0, dtype=torch.long), torch.zeros(0, flow.config.mel_bins)
    if by == "flow":
        return lambda codes: griffin_lim(flow(codes, none, no_mel, embedding, False, True).mel.T)
    vocoder = part("vocoder", Hift)
    return lambda codes: vocoded(vocoder, flow(codes, none, no_mel, embedding, False, True).mel.T)


@torch.inference_mode()
def write_spoken(speaker: Speaker, lines: Iterable[str], out: Path) -> dict[str, float]:
    """OUT/00.wav, 01.wav, ... and OUT/sentences.txt; counts of sentences, seconds, and of those cut off at their most codes."""
    import soundfile

    out.mkdir(parents=True, exist_ok=True)
    texts, seconds, cut = [], 0.0, 0
    for number, line in enumerate(lines):
        samples, codes = speaker.say(line)
        soundfile.write(out / f"{number:02d}.wav", samples.clamp(-1, 1).numpy(), RATE, subtype="PCM_16")
        cut += len(codes) >= int(sum(map(len, speaker.segments(line))) * speaker.sampling.max_token_text_ratio)
        texts.append(line)
        seconds += len(samples) / RATE
    (out / "sentences.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return {"sentences": len(texts), "seconds": round(seconds, 2), "cut_off": cut}
