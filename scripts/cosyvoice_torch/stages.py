"""The stages of the parity contract: which tensors go in, and what this package computes from them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from . import features
from . import lm as language
from .checkpoint import Model
from .encoder import chunk_mask
from .noise import flow_noise
from .stream import stream, whole
from .vocoder import replace_head

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Stage:
    inputs: tuple[str, ...]
    run: Callable[[Model, Tensors], Tensors]


def _lm(model: Model, x: Tensors) -> Tensors:
    return {"logprobs": language.forced(model.lm, x["text_ids"], x["prompt_speech_ids"], x["forced_ids"])}


def _lm_greedy(model: Model, x: Tensors) -> Tensors:
    return {"ids": language.greedy(model.lm, x["text_ids"], x["prompt_speech_ids"], int(x["steps"]))}


def _lm_bistream(model: Model, x: Tensors) -> Tensors:
    names = ("prompt_text_ids", "text_ids", "prompt_speech_ids", "out_ids")
    return {"logprobs": language.bistream_forced(model.lm, *(x[n] for n in names))}


def _nucleus(model: Model, x: Tensors) -> Tensors:
    ids, probs = language.nucleus(x["logprobs"], model.config.lm.top_p, model.config.lm.top_k)
    return {"ids": ids, "probs": probs}


def _noise(model: Model, x: Tensors) -> Tensors:
    return {"noise": flow_noise(int(x["frames"]), model.config.flow.mel_bins)}


def _flow(model: Model, x: Tensors) -> Tensors:
    conditions = (x["token"], x["prompt_token"], x["prompt_feat"], x["embedding"])
    out = model.flow(*conditions, bool(x["streaming"]), bool(x["finalize"]))
    return {"spks": out.spks, "mu": out.mu, "velocity": out.velocity, "mel": out.mel}


def _flow_mask(_: Model, x: Tensors) -> Tensors:
    return {"mask": chunk_mask(int(x["frames"]), int(x["chunk"])).int()}


def _vocoder(model: Model, x: Tensors) -> Tensors:
    source = replace_head(x["source"], x["cache_source"])
    return {"f0": model.vocoder.f0(x["mel"]), "samples": model.vocoder.decode(x["mel"], source)}


def _source(model: Model, x: Tensors) -> Tensors:
    return {"source": model.vocoder.m_source(x["f0"], x["noise"])}


def _stream(model: Model, x: Tensors) -> Tensors:
    conditions = (x["token"], x["prompt_token"], x["prompt_feat"], x["embedding"])
    chunks = list(stream(model.flow, model.vocoder, *conditions))
    return {"chunks": torch.tensor([len(c) for c in chunks]), "samples": torch.cat(chunks)}


def _whole(model: Model, x: Tensors) -> Tensors:
    conditions = (x["token"], x["prompt_token"], x["prompt_feat"], x["embedding"])
    return {"samples": whole(model.flow, model.vocoder, *conditions)}


def _mel24k(_: Model, x: Tensors) -> Tensors:
    return {"mel": features.mel24k(x["samples"])}


def _resample(_: Model, x: Tensors) -> Tensors:
    return {"samples_out": features.resample(x["samples"], int(x["from"]), int(x["to"]))}


def _whisper_mel(_: Model, x: Tensors) -> Tensors:
    return {"log_mel": features.whisper_mel(x["samples"])}


def _speech_tokenizer(model: Model, x: Tensors) -> Tensors:
    hidden, ids = model.speech_tokenizer(features.whisper_mel(x["samples"])[None])
    return {"hidden": hidden, "ids": ids}


def _fbank(_: Model, x: Tensors) -> Tensors:
    return {"fbank": features.fbank(x["samples"])}


def _speaker(model: Model, x: Tensors) -> Tensors:
    return {"embedding": model.speaker(features.fbank(x["samples"]))}


_VOICE = ("token", "prompt_token", "prompt_feat", "embedding")

STAGES: dict[str, Stage] = {
    "lm": Stage(("text_ids", "prompt_speech_ids", "forced_ids"), _lm),
    "lm_greedy": Stage(("text_ids", "prompt_speech_ids", "steps"), _lm_greedy),
    "lm_bistream": Stage(("prompt_text_ids", "text_ids", "prompt_speech_ids", "out_ids"), _lm_bistream),
    "nucleus": Stage(("logprobs",), _nucleus),
    "noise": Stage(("frames",), _noise),
    "flow": Stage((*_VOICE, "streaming", "finalize"), _flow),
    "flow_mask": Stage(("frames", "chunk"), _flow_mask),
    "vocoder": Stage(("mel", "source", "cache_source"), _vocoder),
    "source": Stage(("f0", "phase", "noise"), _source),
    "stream": Stage(_VOICE, _stream),
    "whole": Stage(_VOICE, _whole),
    "mel24k": Stage(("samples",), _mel24k),
    "resample": Stage(("samples", "from", "to"), _resample),
    "whisper_mel": Stage(("samples",), _whisper_mel),
    "speech_tokenizer": Stage(("samples",), _speech_tokenizer),
    "fbank": Stage(("samples",), _fbank),
    "speaker": Stage(("samples",), _speaker),
}


NEEDS = {"speech_tokenizer": "speech_tokenizer_v2.onnx", "speaker": "campplus.onnx"}
"""Files that a checkpoint may lack."""


def run_stage(model: Model, stage: str, case: Tensors) -> Tensors:
    with torch.no_grad():
        return STAGES[stage].run(model, {name: case[name] for name in STAGES[stage].inputs})
