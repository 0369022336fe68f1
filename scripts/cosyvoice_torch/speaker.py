"""CAM++ speaker encoder: 80-bin filterbank in, one 192-d vector out. Names are those of the network; the ONNX file holds it folded."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SEGMENT = 100
"""Frames whose mean is shared as context."""

BLOCKS = ((12, 1), (24, 2), (16, 2))
"""(layers, dilation) of each dense block."""


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
    def __init__(self, channels: int = 32):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, 1, 1)
        self.layer1 = nn.Sequential(ResBlock(channels, 2), ResBlock(channels, 1))
        self.layer2 = nn.Sequential(ResBlock(channels, 2), ResBlock(channels, 1))
        self.conv2 = nn.Conv2d(channels, channels, 3, (2, 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        """[1, 80, T] -> [1, 320, T]"""
        y = F.relu(self.conv1(x[:, None]))
        return F.relu(self.conv2(self.layer2(self.layer1(y)))).flatten(1, 2)


class BatchNorm(nn.Module):
    """With running statistics; no counter of batches, which the file lacks."""

    def __init__(self, channels: int):
        super().__init__()
        for name in ("weight", "bias"):
            self.register_parameter(name, nn.Parameter(torch.empty(channels)))
        for name in ("running_mean", "running_var"):
            self.register_buffer(name, torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-5)


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
    def __init__(self, growth: int = 32, bottleneck: int = 128, channels: int = 128, outside: int = 192):
        super().__init__()
        self.tdnn = Tdnn(320, channels)
        for b, (layers, dilation) in enumerate(BLOCKS, 1):
            block = {f"tdnnd{i + 1}": DenseLayer(channels + i * growth, growth, bottleneck, dilation) for i in range(layers)}
            self.add_module(f"block{b}", DenseBlock(block))
            channels += layers * growth
            self.add_module(f"transit{b}", Transit(channels, channels // 2, b == len(BLOCKS)))
            channels //= 2
        self.dense = Dense(2 * channels, outside)

    def forward(self, x: Tensor) -> Tensor:
        """[1, 320, T] -> [1, 192]"""
        x = self.tdnn(x)
        for b in range(1, len(BLOCKS) + 1):
            x = getattr(self, f"transit{b}")(getattr(self, f"block{b}")(x))
        x = F.relu(x)
        return self.dense(torch.cat([x.mean(2), x.std(2)], 1))


class SpeakerEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()
        self.xvector = XVector()

    def forward(self, features: Tensor) -> Tensor:
        """fbank [T, 80] -> [192]"""
        return self.batched(features[None])[0]

    def batched(self, features: Tensor) -> Tensor:
        """[B, T, 80] -> [B, 192]"""
        return self.xvector(self.head(features.transpose(1, 2)))


def from_state(state: dict[str, Tensor]) -> SpeakerEncoder:
    with torch.device("meta"):
        module = SpeakerEncoder()
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(False)
