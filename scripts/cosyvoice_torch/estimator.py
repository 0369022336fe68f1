"""The causal U-Net that estimates the velocity of the flow. Names are those of `flow.pt` under `decoder.estimator`."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import EstimatorConfig
from .encoder import attention_mask


class CausalConv(nn.Conv1d):
    """[B, C, T] -> [B, C', T]; sees the past only."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (self.kernel_size[0] - 1, 0)))


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of [B, C, T]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Block(nn.Module):
    def __init__(self, inside: int, outside: int):
        super().__init__()
        # Indices 1 and 3 are transposes in the released names; ChannelNorm does both.
        self.block = nn.ModuleDict({"0": CausalConv(inside, outside, 3), "2": ChannelNorm(outside)})

    def forward(self, x: Tensor) -> Tensor:
        return F.mish(self.block["2"](self.block["0"](x)))


class Resnet(nn.Module):
    def __init__(self, inside: int, outside: int, time_width: int):
        super().__init__()
        self.mlp = nn.ModuleDict({"1": nn.Linear(time_width, outside)})
        self.block1 = Block(inside, outside)
        self.block2 = Block(outside, outside)
        self.res_conv = nn.Conv1d(inside, outside, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.block1(x) + self.mlp["1"](F.mish(time))[:, :, None]
        return self.block2(h) + self.res_conv(x)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, head_dim: int):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, heads * head_dim, bias=False)
        self.to_k = nn.Linear(width, heads * head_dim, bias=False)
        self.to_v = nn.Linear(width, heads * head_dim, bias=False)
        self.to_out = nn.ModuleDict({"0": nn.Linear(heads * head_dim, width)})

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        b, t, _ = x.shape
        q, k, v = (f(x).view(b, t, self.heads, -1).transpose(1, 2) for f in (self.to_q, self.to_k, self.to_v))
        # Written out: on a CPU the fused attention's backward is several times slower at training lengths.
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        out = scores.masked_fill(~mask, float("-inf")).softmax(-1) @ v
        return self.to_out["0"](out.transpose(1, 2).reshape(b, t, -1))


class _Projected(nn.Module):
    def __init__(self, inside: int, outside: int):
        super().__init__()
        self.proj = nn.Linear(inside, outside)


class FeedForward(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.net = nn.ModuleDict({"0": _Projected(width, 4 * width), "2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        return self.net["2"](F.gelu(self.net["0"].proj(x)))


class Transformer(nn.Module):
    def __init__(self, c: EstimatorConfig):
        super().__init__()
        self.norm1 = nn.LayerNorm(c.channels)
        self.attn1 = Attention(c.channels, c.heads, c.head_dim)
        self.norm3 = nn.LayerNorm(c.channels)
        self.ff = FeedForward(c.channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attn1(self.norm1(x), mask)
        return x + self.ff(self.norm3(x))


class Level(nn.ModuleList):
    """A resnet (0), its transformer blocks (1) and, at the ends of the U, a convolution (2)."""

    def __init__(self, inside: int, c: EstimatorConfig, conv: bool):
        parts = [Resnet(inside, c.channels, c.time_width), nn.ModuleList(Transformer(c) for _ in range(c.blocks))]
        super().__init__(parts + ([CausalConv(c.channels, c.channels, 3)] if conv else []))

    def forward(self, x: Tensor, time: Tensor, mask: Tensor) -> Tensor:
        """[B, C, T] before the convolution"""
        y = self[0](x, time).transpose(1, 2)
        for block in self[1]:
            y = block(y, mask)
        return y.transpose(1, 2)


class TimeMlp(nn.Module):
    def __init__(self, sinusoids: int, width: int):
        super().__init__()
        self.sinusoids = sinusoids
        self.linear_1 = nn.Linear(sinusoids, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, t: Tensor) -> Tensor:
        """t [B] -> [B, time_width]"""
        half = self.sinusoids // 2
        frequencies = torch.exp(torch.arange(half, device=t.device).float() * -(math.log(10000) / (half - 1)))
        angles = 1000 * t[:, None] * frequencies[None]
        return self.linear_2(F.silu(self.linear_1(torch.cat([angles.sin(), angles.cos()], -1))))


class Estimator(nn.Module):
    def __init__(self, c: EstimatorConfig, out_channels: int):
        super().__init__()
        self.config = c
        self.time_mlp = TimeMlp(c.in_channels, c.time_width)
        self.down_blocks = nn.ModuleList([Level(c.in_channels, c, conv=True)])
        self.mid_blocks = nn.ModuleList(Level(c.channels, c, conv=False) for _ in range(c.mid_blocks))
        self.up_blocks = nn.ModuleList([Level(2 * c.channels, c, conv=True)])
        self.final_block = Block(c.channels, c.channels)
        self.final_proj = nn.Conv1d(c.channels, out_channels, 1)

    def forward(self, x: Tensor, mu: Tensor, t: Tensor, spks: Tensor, cond: Tensor, streaming: bool, lengths: Tensor | None = None) -> Tensor:
        """x, mu, cond [B, 80, M], t [B], spks [B, 80] -> velocity [B, 80, M]; `lengths` [B] of a padded batch, in frames"""
        frames = x.shape[2]
        mask = attention_mask(frames, self.config.chunk if streaming else frames, lengths, x.device)
        time = self.time_mlp(t)
        y = torch.cat([x, mu, spks[:, :, None].expand(-1, -1, frames), cond], 1)
        down, up = self.down_blocks[0], self.up_blocks[0]
        skip = down(y, time, mask)
        y = down[2](skip)
        for level in self.mid_blocks:
            y = level(y, time, mask)
        y = up[2](up(torch.cat([y, skip], 1), time, mask))
        return self.final_proj(self.final_block(y))
