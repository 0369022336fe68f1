"""Weights of an ONNX file under the names of its node scopes: anonymous initializers get the name of the layer that uses them."""

import re
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

SLOTS = {
    "Conv": {1: "weight", 2: "bias"},
    "MatMul": {1: "weight"},
    "Add": {0: "bias", 1: "bias"},
    "LayerNormalization": {1: "weight", 2: "bias"},
    "BatchNormalization": {1: "weight", 2: "bias", 3: "running_mean", 4: "running_var"},
}


def layer_name(node_name: str) -> str:
    """`/head/layer1/layer1.0/conv1/Conv` -> `head.layer1.0.conv1`: drops the operator, and a list's own level before its item."""
    scopes = [s for s in node_name.split("/") if s][:-1]
    kept = [s for i, s in enumerate(scopes) if i + 1 == len(scopes) or not re.fullmatch(re.escape(s) + r"\.\d+", scopes[i + 1])]
    return ".".join(kept)


def read_onnx(path: Path) -> dict[str, Tensor]:
    graph = onnx.load(str(path)).graph
    known = {t.name: t for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            known[node.output[0]] = node.attribute[0].t
        elif node.op_type == "Cast" and node.input[0] in known:  # of halves to floats
            known[node.output[0]] = known[node.input[0]]
    out: dict[str, Tensor] = {}
    for node in graph.node:
        layer = layer_name(node.name)
        for slot, kind in SLOTS.get(node.op_type, {}).items():
            tensor = known.get(node.input[slot]) if slot < len(node.input) else None
            if tensor is None or not layer or (node.op_type == "Add" and f"{layer}.weight" not in out):
                continue
            value = torch.from_numpy(numpy_helper.to_array(tensor).astype("float32"))
            out[f"{layer}.{kind}"] = value.T.contiguous() if node.op_type == "MatMul" else value
    return out
