"""A bundle's outputs computed again and compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .bundle import read_bundle
from .checkpoint import Model
from .features import mel24k
from .stages import NEEDS, STAGES, run_stage
from .text import front_end


@dataclass(frozen=True)
class Row:
    stage: str
    case: str
    tensor: str
    rel: float | None
    max_abs: float | None
    verdict: str
    reason: str = ""


def limit(stage: str, tensor: str, samples: int, sample_rate: int, half: bool) -> float:
    """The contract's bound on `rel`. The phase integral lets an ulp of f0 grow with time."""
    seconds = samples / sample_rate
    if half:
        return 3e-2 if tensor == "mel" or (stage, tensor) == ("vocoder", "samples") else 1e-2
    if stage == "source":
        return 1e-4 + 5e-4 * seconds
    if tensor == "samples" and stage in ("whole", "stream"):
        return 1e-3 + 3e-3 * seconds
    return 1e-4


LOG_MEL_CORRELATION = 0.99
"""What `whole` and `stream` must reach when weights are f16: their phase is free to drift."""


def log_mel_correlation(a: Tensor, b: Tensor) -> float:
    """Pearson correlation over all values of the 24 kHz log-mel of two signals."""
    pair = torch.stack([mel24k(x.float()).flatten() for x in (a, b)]).double()
    return float(torch.corrcoef(pair)[0, 1])


def compare(stage: str, case: str, tensor: str, out: Tensor, reference: Tensor, sample_rate: int, half: bool) -> Row:
    if out.shape != reference.shape:
        return Row(stage, case, tensor, None, None, "fail", f"shape {tuple(out.shape)}, reference {tuple(reference.shape)}")
    if not reference.is_floating_point():
        wrong = int((out.to(reference.dtype) != reference).sum())
        return Row(stage, case, tensor, float(wrong), None, "pass" if wrong == 0 else "fail", f"{wrong} differ" if wrong else "")
    a, b = out.double(), reference.double()
    rel = float((a - b).norm() / b.norm().clamp(min=1e-30)) if b.numel() else 0.0
    worst = float((a - b).abs().max()) if b.numel() else 0.0
    if half and tensor == "samples" and stage in ("whole", "stream"):
        correlation = log_mel_correlation(a, b)
        verdict = "pass" if correlation >= LOG_MEL_CORRELATION else "fail"
        return Row(stage, case, tensor, rel, worst, verdict, f"log-mel correlation {correlation:.4f}")
    ok = bool(torch.isfinite(a).all()) and rel <= limit(stage, tensor, len(b), sample_rate, half)
    return Row(stage, case, tensor, rel, worst, "pass" if ok else "fail")


def verify(folder: Path, model_dir: Path | None = None, stages: set[str] | None = None, half: bool = False) -> Iterator[Row]:
    cases, text = read_bundle(folder)
    model = Model(model_dir or folder / "model", half)
    rate = model.config.vocoder.sample_rate
    for stage, stage_cases in cases.items():
        if stages and stage not in stages:
            continue
        for name, case in stage_cases.items():
            if stage not in STAGES:
                yield Row(stage, name, "*", None, None, "skip", "unknown stage")
                continue
            if stage in NEEDS and not (model.folder / NEEDS[stage]).exists():
                yield Row(stage, name, "*", None, None, "skip", f"the model has no {NEEDS[stage]}")
                continue
            for tensor, out in run_stage(model, stage, case).items():
                if tensor in case:
                    yield compare(stage, name, tensor, out, case[tensor], rate, half)
    for i, case in enumerate(text):
        computed = front_end(model.tokenizer, case["text"], case["prompt"])
        for field in ("ids", "segments", "normalized"):
            stage = "tokenizer" if field == "ids" else "normalize"
            if field not in case or (stages and stage not in stages):
                continue
            if case.get("normalizer", "none") != "none" and field != "ids":
                yield Row(stage, str(i), field, None, None, "skip", "needs a text normaliser")
                continue
            same = computed.get(field) == case[field]
            yield Row(stage, str(i), field, 0.0 if same else 1.0, None, "pass" if same else "fail")
