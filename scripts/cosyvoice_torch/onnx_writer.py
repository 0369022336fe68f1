"""The two ONNX files of the layout: exported from our modules, then named as the released files are: folded weights anonymous."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .onnx_weights import SLOTS, layer_name
from .speaker import SpeakerEncoder
from .speech_tokenizer import SpeechTokenizer

OPSET, HALF_MAX = 17, 65504.0
SPEAKER_FIRST = 4423
"""Where the released speaker encoder starts to count its anonymous weights."""
TOKENIZER_NUMBERS = {
    **{"conv1.weight": 2216, "conv1.bias": 2217, "conv2.weight": 2218, "conv2.bias": 2219, "quantizer.project_in.weight": 2536},
    **{"attn_ln.weight": 2224, "attn_ln.bias": 2225, "attn.query.bias": 2227, "attn.query.weight": 2228, "attn.key.weight": 2230},
    **{"attn.value.bias": 2232, "attn.value.weight": 2233, "attn.out.bias": 2266, "attn.out.weight": 2267},
    **{"mlp_ln.weight": 2268, "mlp_ln.bias": 2269, "mlp.0.bias": 2271, "mlp.0.weight": 2272, "mlp.2.bias": 2274, "mlp.2.weight": 2275},
}
"""Numbers in the released tokenizer, of a block those of the first; other readers (s3tokenizer) look for some of them."""
BLOCK_NUMBERS = 52
"""From one block to the next."""


class _Tokenizer(SpeechTokenizer):
    """mel [1, 128, T], length [1] -> ids [1, S], length"""

    def forward(self, mel: Tensor, mel_length: Tensor) -> tuple[Tensor, Tensor]:
        return self.quantizer(self.encode(mel)), (mel_length + 3) // 4


class _Speaker(SpeakerEncoder):
    def forward(self, features: Tensor) -> Tensor:
        return self.batched(features)


def _export(module: nn.Module, inputs: tuple[Tensor, ...], path: Path, **options) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracing exporter is the one that keeps module scopes in node names
        torch.onnx.export(module, inputs, path, dynamo=False, opset_version=OPSET, **options)


def _rename(path: Path, anonymous: Callable[[str], bool], number: Callable[[str, int], int]) -> None:
    """
    Gives weights that `anonymous` picks the name onnx::<operator>_<number>, after the named ones; the number follows from the layer's
    name for the weight and from how many there were before. Equal weights, which the exporter writes once, get one each.
    """
    model = onnx.load(str(path))
    graph = model.graph
    tensors = {t.name: t for t in graph.initializer}
    for node in [n for n in graph.node if n.op_type == "Identity" and n.input[0] in tensors]:
        tensors[node.output[0]] = TensorProto.FromString(tensors[node.input[0]].SerializeToString())
        graph.node.remove(node)
    names: dict[str, str] = {}
    for node in graph.node:
        kinds = SLOTS.get(node.op_type, {})
        for i, name in enumerate(node.input):
            if name in tensors and name not in names and anonymous(name):
                weight = f"{layer_name(node.name)}.{kinds[i]}"
                names[name] = f"onnx::{node.op_type}_{number(weight, len(names))}"
            node.input[i] = names.get(name, name)
    kept = [t for name, t in tensors.items() if name not in names]
    del graph.initializer[:]
    graph.initializer.extend(kept + [tensors[old] for old in names])
    for tensor, name in zip(graph.initializer, [name for name in tensors if name not in names] + list(names.values()), strict=True):
        tensor.name = name
    onnx.save(model, str(path))


def _tokenizer_number(weight: str, _: int) -> int:
    block = re.fullmatch(r"blocks\.(\d+)\.(.+)", weight)
    return TOKENIZER_NUMBERS[block[2]] + BLOCK_NUMBERS * int(block[1]) if block else TOKENIZER_NUMBERS[weight]


def _halve(path: Path) -> None:
    """Matrices of layers are stored as halves, each with a Cast to floats in front of its operator; readers of names see through it."""
    model = onnx.load(str(path))
    graph = model.graph
    used = {node.input[1] for node in graph.node if node.op_type in ("Conv", "MatMul") and layer_name(node.name)}
    for tensor in [t for t in graph.initializer if t.name in used]:
        values = numpy_helper.to_array(tensor)
        if not np.abs(values).max() <= HALF_MAX:
            raise ValueError(f"{path}: {tensor.name} has a value that no half holds")
        floats = f"{tensor.name}_float"
        users = [node for node in graph.node if tensor.name in node.input]
        for node in users:
            for i, name in enumerate(node.input):
                node.input[i] = floats if name == tensor.name else name
        # In its user's place, by which other readers know a weight; the runtime wants a name of its own.
        name = f"{users[0].name.rsplit('/', 1)[0]}/weight"
        graph.node.insert(0, helper.make_node("Cast", [tensor.name], [floats], name, to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))
    onnx.save(model, str(path))


def write_speech_tokenizer(path: Path, module: SpeechTokenizer, half: bool = False) -> None:
    module.__class__ = _Tokenizer
    try:
        example = (torch.zeros(1, 128, 40), torch.tensor([40], dtype=torch.int32))
        names = {"input_names": ["mel", "mel_length"], "output_names": ["indices", "length_out"]}
        _export(module, example, path, dynamic_axes={"mel": {2: "T"}, "indices": {1: "S"}}, **names)
    finally:
        module.__class__ = SpeechTokenizer
    clean = ("fsmn_block.weight", "quantizer.project_in.bias")
    _rename(path, lambda name: not name.endswith(clean), _tokenizer_number)
    if half:
        _halve(path)


def write_speaker(path: Path, module: SpeakerEncoder, half: bool = False) -> None:
    module.__class__ = _Speaker
    try:
        names = {"input_names": ["input"], "output_names": ["output"]}
        _export(module, (torch.zeros(1, 260, 80),), path, dynamic_axes={"input": {0: "batch", 1: "frames"}}, **names)
    finally:
        module.__class__ = SpeakerEncoder
    folded = ("head.", "xvector.tdnn.", f"xvector.transit{module.xvector.count}.linear.")

    def anonymous(name: str) -> bool:
        return name.startswith(folded) or (".linear1." in name and "cam_layer" not in name)

    _rename(path, anonymous, lambda _, count: SPEAKER_FIRST + count)
    _without_affine(path, "xvector.dense.nonlinear.batchnorm.")
    if half:
        _halve(path)


def _without_affine(path: Path, prefix: str) -> None:
    """The last norm has no weight and bias of its own: ones and zeros stand in Constant nodes."""
    model = onnx.load(str(path))
    graph = model.graph
    for kind in ("bias", "weight"):
        tensor = next(t for t in graph.initializer if t.name == prefix + kind)
        graph.initializer.remove(tensor)
        graph.node.insert(0, helper.make_node("Constant", [], [prefix + kind], f"/{prefix.replace('.', '/')}{kind}", value=tensor))
    onnx.save(model, str(path))
