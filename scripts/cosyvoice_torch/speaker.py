"""CAM++ speaker encoder: 80-bin filterbank in, one vector out (released: 192-d). Names are those of the network; the ONNX file holds it folded."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM_EPS = 1e-5

SEGMENT = 100
"""Frames whose mean is shared as context."""

DILATIONS = (1, 2, 2)
"""Of each dense block."""

MEL_BINS = 80


@dataclass(frozen=True)
class SpeakerSizes:
    """The defaults are those of the release."""

    head: int = 32
    channels: int = 128
    layers: tuple[int, ...] = (12, 24, 16)
    """Of each dense block."""
    growth: int = 32
    bottleneck: int = 128
    embedding: int = 192

    def __post_init__(self) -> None:
        if not 1 <= len(self.layers) <= len(DILATIONS):
            raise ValueError(f"speaker: {len(self.layers)} dense blocks, there can be 1 to {len(DILATIONS)}")
        inside = [self.bottleneck, *(outside for _, outside in self.blocks())]
        if any(n % 2 for n in inside):
            raise ValueError(f"speaker: bottleneck and widths of the blocks {inside} are halved, so they must be even")

    def blocks(self) -> list[tuple[int, int]]:
        """(channels in, channels out) of each dense block; the transit behind it halves them."""
        out, inside = [], self.channels
        for layers in self.layers:
            out.append((inside, inside + layers * self.growth))
            inside = out[-1][1] // 2
        return out


class ResBlock(nn.Module):
    def __init__(self, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, (stride, 1), 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.shortcut = nn.Sequential(*[nn.Conv2d(channels, channels, 1, (stride, 1))] if stride != 1 else [])

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x)))
        return F.relu(y + (self.shortcut(x) if len(self.shortcut) else x))


class Head(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, 1, 1)
        self.layer1 = nn.Sequential(ResBlock(channels, 2), ResBlock(channels, 1))
        self.layer2 = nn.Sequential(ResBlock(channels, 2), ResBlock(channels, 1))
        self.conv2 = nn.Conv2d(channels, channels, 3, (2, 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 80, T] -> [B, 10 channels, T]"""
        y = F.relu(self.conv1(x[:, None]))
        return F.relu(self.conv2(self.layer2(self.layer1(y)))).flatten(1, 2)


class BatchNorm(nn.Module):
    """With running statistics; no counter of batches, which the file lacks."""

    def __init__(self, channels: int):
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0)):
            self.register_parameter(name, nn.Parameter(torch.full((channels,), value)))
        for name, value in (("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training, eps=BATCH_NORM_EPS)


class Norm(nn.Module):
    """A level of the names."""

    def __init__(self, channels: int):
        super().__init__()
        self.batchnorm = BatchNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.batchnorm(x)


class ContextMask(nn.Module):
    def __init__(self, inside: int, growth: int, dilation: int):
        super().__init__()
        self.linear_local = nn.Conv1d(inside, growth, 3, dilation=dilation, padding=dilation, bias=False)
        self.linear1 = nn.Conv1d(inside, inside // 2, 1)
        self.linear2 = nn.Conv1d(inside // 2, growth, 1)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.shape[2]
        segments = F.avg_pool1d(x, SEGMENT, SEGMENT, ceil_mode=True)
        shared = segments[..., None].expand(-1, -1, -1, SEGMENT).flatten(2)[:, :, :frames]
        context = x.mean(2, keepdim=True) + shared
        return self.linear_local(x) * torch.sigmoid(self.linear2(F.relu(self.linear1(context))))


class DenseLayer(nn.Module):
    def __init__(self, inside: int, growth: int, bottleneck: int, dilation: int):
        super().__init__()
        self.nonlinear1 = Norm(inside)
        self.linear1 = nn.Conv1d(inside, bottleneck, 1)
        self.cam_layer = ContextMask(bottleneck, growth, dilation)

    def forward(self, x: Tensor) -> Tensor:
        return self.cam_layer(F.relu(self.linear1(F.relu(self.nonlinear1(x)))))


class DenseBlock(nn.ModuleDict):
    """Each layer's output is appended to what it saw."""

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.values():
            x = torch.cat([x, layer(x)], 1)
        return x


class Transit(nn.Module):
    def __init__(self, inside: int, outside: int, last: bool):
        super().__init__()
        self.nonlinear = Norm(inside)
        self.linear = nn.Conv1d(inside, outside, 1, bias=last)  # the last one has the output norm folded in

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(F.relu(self.nonlinear(x)))


class Tdnn(nn.Module):
    def __init__(self, inside: int, outside: int):
        super().__init__()
        self.linear = nn.Conv1d(inside, outside, 5, stride=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.linear(x))


class Dense(nn.Module):
    def __init__(self, inside: int, outside: int):
        super().__init__()
        self.linear = nn.Conv1d(inside, outside, 1, bias=False)
        self.nonlinear = Norm(outside)

    def forward(self, x: Tensor) -> Tensor:
        return self.nonlinear(self.linear(x[:, :, None])[:, :, 0])


class XVector(nn.Module):
    def __init__(self, sizes: SpeakerSizes):
        super().__init__()
        self.count = len(sizes.layers)
        self.tdnn = Tdnn(MEL_BINS // 8 * sizes.head, sizes.channels)
        for b, ((inside, outside), dilation) in enumerate(zip(sizes.blocks(), DILATIONS, strict=False), 1):
            seen = range(inside, outside, sizes.growth)
            block = {f"tdnnd{i}": DenseLayer(c, sizes.growth, sizes.bottleneck, dilation) for i, c in enumerate(seen, 1)}
            self.add_module(f"block{b}", DenseBlock(block))
            self.add_module(f"transit{b}", Transit(outside, outside // 2, b == self.count))
        self.dense = Dense(sizes.blocks()[-1][1], sizes.embedding)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 10 head, T] -> [B, embedding]"""
        x = self.tdnn(x)
        for b in range(1, self.count + 1):
            x = getattr(self, f"transit{b}")(getattr(self, f"block{b}")(x))
        x = F.relu(x)
        return self.dense(torch.cat([x.mean(2), x.std(2)], 1))


class SpeakerEncoder(nn.Module):
    def __init__(self, sizes: SpeakerSizes = SpeakerSizes()):
        super().__init__()
        self.head = Head(sizes.head)
        self.xvector = XVector(sizes)

    def forward(self, features: Tensor) -> Tensor:
        """fbank [T, 80] -> [embedding]"""
        return self.batched(features[None])[0]

    def batched(self, features: Tensor) -> Tensor:
        """[B, T, 80] -> [B, embedding]"""
        return self.xvector(self.head(features.transpose(1, 2)))


def sizes_of(state: dict[str, Tensor]) -> SpeakerSizes:
    """What the tensors show."""
    layers: list[int] = []
    while f"xvector.block{len(layers) + 1}.tdnnd1.linear1.weight" in state:
        block = f"xvector.block{len(layers) + 1}.tdnnd"
        layers.append(sum(name.startswith(block) and name.endswith(".linear_local.weight") for name in state))
    growth, bottleneck, _ = state["xvector.block1.tdnnd1.cam_layer.linear_local.weight"].shape
    outer = [state[f"{name}.weight"].shape[0] for name in ("head.conv1", "xvector.tdnn.linear", "xvector.dense.linear")]
    return SpeakerSizes(outer[0], outer[1], tuple(layers), growth, bottleneck, outer[2])


def from_state(state: dict[str, Tensor]) -> SpeakerEncoder:
    """The module whose sizes the tensors show."""
    with torch.device("meta"):
        module = SpeakerEncoder(sizes_of(state))
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(False)
