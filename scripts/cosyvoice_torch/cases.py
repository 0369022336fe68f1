"""What goes into a reference bundle: inputs drawn from a seed, outputs computed by the stages."""

from dataclasses import dataclass

import torch
from torch import Tensor

from . import lm as language
from .bundle import Cases
from .checkpoint import Model
from .sample_text import CASES, LONG_CASES
from .stages import NEEDS, STAGES, run_stage
from .stream import MEL_CACHE
from .text import front_end


@dataclass(frozen=True)
class Lengths:
    """How long the cases are; each pair is (prompt tokens, tokens)."""

    lm: tuple[tuple[int, int, int], ...] = ()
    """(text, prompt speech, forced) ids"""
    greedy: tuple[tuple[int, int, int], ...] = ()
    """(text, prompt speech ids, steps)"""
    bistream: tuple[tuple[int, int, int], ...] = ()
    """(prompt text, text, prompt speech) ids"""
    flow: tuple[tuple[str, int, int, bool, bool], ...] = ()
    """(name, prompt tokens, tokens, streaming, finalize)"""
    masks: tuple[tuple[int, int], ...] = ()
    noise: tuple[int, ...] = ()
    vocoder: tuple[tuple[str, int, int], ...] = ()
    """(name, frames, cached frames)"""
    source: tuple[int, ...] = ()
    stream: tuple[tuple[int, int], ...] = ()
    whole: tuple[tuple[int, int], ...] = ()
    audio: tuple[tuple[str, int], ...] = ()
    """(name, samples at 16 kHz) of the stages that hear audio"""
    resample: tuple[tuple[int, int, int], ...] = ()
    """(rate, new rate, samples)"""


SHORT = Lengths(
    lm=((1, 0, 2), (9, 0, 4), (14, 17, 6)),
    greedy=((8, 0, 24), (6, 11, 24)),
    bistream=((3, 7, 10),),
    flow=(
        ("tiny", 0, 1, False, True),
        ("plain", 0, 8, False, True),
        ("prompted", 5, 7, False, True),
        ("stream", 4, 27, True, False),
        ("stream_final", 0, 26, True, True),
    ),
    masks=((19, 1), (30, 25), (52, 50), (17, 17)),
    noise=(53,),
    vocoder=(("tiny", 2, 0), ("plain", 7, 0), ("cached", 11, MEL_CACHE)),
    source=(4,),
    stream=((0, 29), (22, 31)),
    whole=((0, 3), (5, 8)),
)
"""About 0.8 MB at the sizes of the project's own test bundles."""

LONG = Lengths(
    lm=((1, 0, 3), (12, 0, 20), (30, 40, 40), (120, 100, 24)),
    greedy=((18, 0, 60), (25, 33, 60)),
    bistream=((0, 12, 0), (14, 17, 42), (3, 4, 40)),
    flow=(
        ("tiny", 0, 1, False, True),
        ("plain", 0, 24, False, True),
        ("prompted", 31, 60, False, True),
        ("stream", 22, 53, True, False),
        ("stream_noprompt", 0, 28, True, False),
        ("stream_final", 40, 70, True, True),
    ),
    masks=((37, 1), (60, 25), (101, 50), (120, 100), (37, 37)),
    noise=(200, 1024),
    vocoder=(("short", 9, 0), ("plain", 50, 0), ("cached", 66, MEL_CACHE)),
    source=(12, 30),
    stream=((0, 90), (10, 20), (25, 128), (87, 180), (12, 330)),
    whole=((0, 90), (10, 20), (25, 128), (87, 180)),
    audio=(("short", 4000), ("odd", 9345), ("long", 55000)),
    resample=((16000, 24000, 8007), (22050, 24000, 11032), (44100, 16000, 22057), (48000, 24000, 24007)),
)

HEARING = Lengths(
    audio=(("short", 1600), ("odd", 9345), ("long", 33000)),
    resample=((16000, 24000, 801), (22050, 24000, 1103), (44100, 16000, 2206), (48000, 24000, 2400)),
)
"""What a recording goes through: 1.2 MB, whatever the sizes. The long one is more than a segment of the speaker encoder."""

SETS = {"short": SHORT, "long": LONG, "hearing": HEARING}


class Draw:
    """Random inputs of the right kind and size."""

    def __init__(self, model: Model, seed: int):
        self.model = model
        self.generator = torch.Generator().manual_seed(seed)
        self.config = model.config

    def ids(self, count: int, below: int) -> Tensor:
        return torch.randint(0, below, (count,), generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self.generator)

    def text(self, count: int) -> Tensor:
        return self.ids(count, self.model.tokenizer.size)

    def speech(self, count: int) -> Tensor:
        return self.ids(count, self.config.lm.speech_codes)

    def mel(self, frames: int) -> Tensor:
        """The level and spread of log-mel."""
        return self.normal(frames, self.config.flow.mel_bins) * 2 - 4

    def f0(self, frames: int) -> Tensor:
        """Voiced around 150 Hz, every fourth frame silent or below the voicing threshold."""
        f0 = 150 + 60 * self.normal(frames)
        f0[::4], f0[2::8] = 0.0, self.config.vocoder.voiced_threshold - 1
        return f0.clamp(min=0)

    def audio(self, samples: int, rate: int) -> Tensor:
        """A gliding tone with overtones in noise, louder and softer: something with the shape of speech."""
        t = torch.arange(samples) / rate
        phase = 2 * torch.pi * torch.cumsum(140 + 60 * torch.sin(2 * torch.pi * 1.7 * t), 0) / rate
        tone = sum(torch.sin(k * phase) / k for k in range(1, 12))
        return 0.2 * (0.6 + 0.4 * torch.sin(2 * torch.pi * 2.3 * t)) * tone + 0.01 * self.normal(samples)

    def voice(self, prompt_tokens: int, tokens: int) -> dict[str, Tensor]:
        f = self.config.flow
        return {
            "token": self.ids(tokens, f.codes),
            "prompt_token": self.ids(prompt_tokens, f.codes),
            "prompt_feat": self.mel(f.token_mel_ratio * prompt_tokens),
            "embedding": self.normal(f.speaker_width),
        }


def _flag(value: int | bool) -> Tensor:
    return torch.tensor([int(value)])


def bistream_run(model: Model, prompt_text: Tensor, text: Tensor, speech: Tensor, cap: int = 24) -> Tensor:
    """One valid run: the best code at every step, and the stop id once `cap` codes have followed the text."""
    c, after = model.config.lm, 0

    def choose(logprobs: Tensor, ending: bool) -> int:
        nonlocal after
        after += ending
        return c.speech_codes if after > cap else int(logprobs[: c.speech_codes].argmax())

    with torch.no_grad():
        return torch.tensor([chosen for _, chosen in language.feeds(model.lm, prompt_text, text, speech, choose)])


def nucleus_inputs(draw: Draw) -> dict[str, Tensor]:
    """Distributions at the edges of the rule: flat, one id over 0.8, all equal, and equal values across the cut."""
    rows = draw.config.lm.speech_rows
    peak = torch.full((rows,), -20.0)
    peak[rows // 3] = 0.0
    edge = torch.full((rows,), -30.0)
    edge[5], edge[rows - 7], edge[9] = 0.0, -0.5, -1.0
    ties = torch.zeros(rows)
    ties[draw.ids(60, rows)] = 3.0
    values = {"flat": 0.01 * draw.normal(rows), "peak": peak, "edge": edge, "ties": ties, "model": 3 * draw.normal(rows)}
    return {name: v.log_softmax(-1) for name, v in values.items()}


def inputs(model: Model, lengths: Lengths, draw: Draw) -> Cases:
    c = model.config
    cases: Cases = {stage: {} for stage in STAGES}
    for text, prompt, count in lengths.lm:
        ids = {"text_ids": draw.text(text), "prompt_speech_ids": draw.speech(prompt), "forced_ids": draw.speech(count)}
        cases["lm"][f"{text}_{prompt}"] = ids
    for text, prompt, steps in lengths.greedy:
        ids = {"text_ids": draw.text(text), "prompt_speech_ids": draw.speech(prompt), "steps": _flag(steps)}
        cases["lm_greedy"][f"{text}_{prompt}"] = ids
    for prompt_text, text, prompt in lengths.bistream:
        given = (draw.text(prompt_text), draw.text(text), draw.speech(prompt))
        names = ("prompt_text_ids", "text_ids", "prompt_speech_ids")
        run = bistream_run(model, *given, cap=3)
        cases["lm_bistream"][f"{prompt_text}_{text}_{prompt}"] = dict(zip(names, given)) | {"out_ids": run}
    if lengths.lm:
        cases["nucleus"] = {name: {"logprobs": v} for name, v in nucleus_inputs(draw).items()}
    cases["noise"] = {str(n): {"frames": _flag(n)} for n in lengths.noise}
    for name, prompt, tokens, streaming, finalize in lengths.flow:
        flags = {"streaming": _flag(streaming), "finalize": _flag(finalize)}
        cases["flow"][name] = draw.voice(prompt, tokens) | flags
    cases["flow_mask"] = {f"{n}_{chunk}": {"frames": _flag(n), "chunk": _flag(chunk)} for n, chunk in lengths.masks}
    per_frame = c.vocoder.samples_per_frame
    for name, frames, cached in lengths.vocoder:
        mel = draw.mel(frames)
        with torch.no_grad():
            noise = draw.normal(frames * per_frame, c.vocoder.overtones + 1)
            source = model.vocoder.m_source(model.vocoder.f0(mel), noise)
        cache = 0.1 * draw.normal(cached * per_frame)
        cases["vocoder"][name] = {"mel": mel, "source": source, "cache_source": cache}
    for frames in lengths.source:
        harmonics = c.vocoder.overtones + 1
        noise = draw.normal(frames * per_frame, harmonics)
        case = {"f0": draw.f0(frames), "phase": 3 * draw.normal(harmonics), "noise": noise}
        cases["source"][str(frames)] = case
    for stage, pairs in (("whole", lengths.whole), ("stream", lengths.stream)):
        cases[stage] = {f"{prompt}_{tokens}": draw.voice(prompt, tokens) for prompt, tokens in pairs}
    for name, samples in lengths.audio:
        for stage in ("whisper_mel", "fbank"):
            cases[stage][name] = {"samples": draw.audio(samples, 16000)}
        for stage, file in NEEDS.items():
            if (model.folder / file).exists():
                cases[stage][name] = {"samples": draw.audio(samples, 16000)}
        cases["mel24k"][name] = {"samples": draw.audio(samples, 24000)}
    for source, target, samples in lengths.resample:
        case = {"samples": draw.audio(samples, source), "from": _flag(source), "to": _flag(target)}
        cases["resample"][f"{source}_{target}"] = case
    return cases


def record(model: Model, lengths: Lengths, seed: int, stages: set[str] | None = None) -> Cases:
    """Inputs and outputs of every stage asked for."""
    cases = inputs(model, lengths, Draw(model, seed))
    kept = {stage: c for stage, c in cases.items() if c and (stages is None or stage in stages)}
    for stage, stage_cases in kept.items():
        for case in stage_cases.values():
            case.update(run_stage(model, stage, case))
    return kept


def text_cases(model: Model) -> list[dict]:
    out = []
    for text in CASES + LONG_CASES:
        spoken = front_end(model.tokenizer, text, prompt=False)
        out.append({"text": text, "prompt": False, **spoken})
        prompt = front_end(model.tokenizer, text, prompt=True)
        out.append({"text": text, "prompt": True, "normalized": prompt["normalized"]})
    return out
