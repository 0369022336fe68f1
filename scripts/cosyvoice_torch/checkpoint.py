"""The official file layout: `llm.pt`, `flow.pt`, `hift.pt` read into modules. Weights are memory-mapped; nothing in a file is executed."""

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from . import speaker, speech_tokenizer
from .config import Config, read_config
from .flow import Flow
from .lm import Qwen2LM
from .onnx_weights import read_onnx
from .speaker import SpeakerEncoder
from .speech_tokenizer import SpeechTokenizer
from .text import Tokenizer
from .vocoder import Hift

LENGTH, DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"
"""Names of the two halves of a normed weight; older files say `weight_g` and `weight_v`."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors alone: a trainer's `epoch` and `step` entries are dropped, `generator.` prefixes stripped, halves made floats."""
    state = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    whole = lambda value: value.float() if value.dtype == torch.float16 else value
    return {name.removeprefix("generator."): whole(value) for name, value in state.items() if isinstance(value, Tensor)}


def fold_weight_norm(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Either naming scheme -> plain `weight`: w = g v / |v|, the norm over every axis but the first."""
    folded = {}
    for name, value in state.items():
        if name.endswith(("weight_g", LENGTH)):
            continue
        if name.endswith(("weight_v", DIRECTION)):
            base = name.removesuffix("weight_v").removesuffix(DIRECTION)
            g = state[base + ("weight_g" if name.endswith("weight_v") else LENGTH)]
            folded[base + "weight"] = torch._weight_norm(value.clone(), g.clone(), 0)
        else:
            folded[name] = value
    return folded


def build(kind: type[nn.Module], *args) -> nn.Module:
    """The module with shapes and no memory."""
    with torch.device("meta"):
        return kind(*args)


def _fill(module: nn.Module, state: dict[str, Tensor], path: Path, half: bool) -> nn.Module:
    if half:
        state = {name: value.half().float() if value.dim() > 1 else value for name, value in state.items()}
    missing, extra = module.load_state_dict(state, strict=False, assign=True)
    if missing or extra:
        raise ValueError(f"{path}: {len(missing)} tensors missing ({missing[:3]}), {len(extra)} unknown ({extra[:3]})")
    return module.eval().requires_grad_(False)


def trainable(module: nn.Module) -> nn.Module:
    """The same module with memory of its own in place of the file's, and with gradients."""
    module.load_state_dict({name: value.clone() for name, value in module.state_dict().items()}, assign=True)
    return module.requires_grad_(True)


class Model:
    """One checkpoint; every part is loaded when first asked for. `half` rounds matrices to f16, as an f16 conversion would."""

    def __init__(self, folder: Path, half: bool = False):
        self.folder = folder
        self.half = half
        self._flow_state = read_tensors(folder / "flow.pt")
        layers = {int(m[1]) for n in self._flow_state if (m := re.match(r"encoder\.up_encoders\.(\d+)\.", n))}
        self.config: Config = read_config(folder, up_blocks=len(layers))
        self._parts: dict[str, object] = {}

    def _part(self, name: str, make):
        if name not in self._parts:
            self._parts[name] = make()
        return self._parts[name]

    @property
    def lm(self) -> Qwen2LM:
        def make() -> Qwen2LM:
            path = self.folder / "llm.pt"
            state = read_tensors(path)
            # Tied in the released file and unused by the engine: a file without it is complete.
            state["llm.model.lm_head.weight"] = state["llm.model.model.embed_tokens.weight"]
            return _fill(build(Qwen2LM, self.config.lm), state, path, self.half)

        return self._part("lm", make)

    @property
    def flow(self) -> Flow:
        make = lambda: _fill(build(Flow, self.config.flow), self._flow_state, self.folder / "flow.pt", self.half)
        return self._part("flow", make)

    @property
    def vocoder(self) -> Hift:
        path = self.folder / "hift.pt"
        make = lambda: _fill(build(Hift, self.config.vocoder), fold_weight_norm(read_tensors(path)), path, self.half)
        return self._part("vocoder", make)

    @property
    def speech_tokenizer(self) -> SpeechTokenizer:
        path = self.folder / "speech_tokenizer_v2.onnx"
        return self._part("speech_tokenizer", lambda: speech_tokenizer.from_state(read_onnx(path)))

    @property
    def speaker(self) -> SpeakerEncoder:
        return self._part("speaker", lambda: speaker.from_state(read_onnx(self.folder / "campplus.onnx")))

    @property
    def tokenizer(self) -> Tokenizer:
        return self._part("tokenizer", lambda: Tokenizer(self.folder / "CosyVoice-BlankEN"))
