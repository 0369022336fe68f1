"""
The token encoder of the flow: a conformer at 25 Hz, up-sampling by two, a conformer at 50 Hz. Names are those of `flow.pt`.
Everything takes a leading batch axis or none; shapes are given without.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import FlowConfig


def chunk_mask(frames: int, chunk: int) -> Tensor:
    """[M, M] bool, mask[query, key]: keys of the query's own chunk and of every earlier one. `chunk >= frames` is full attention, 1 is causal."""
    ends = (torch.arange(frames) // chunk + 1) * chunk
    return torch.arange(frames)[None, :] < ends[:, None]


def within(lengths: Tensor, frames: int) -> Tensor:
    """lengths [B] -> [B, M] bool: what is no padding."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def attention_mask(frames: int, chunk: int, lengths: Tensor | None, device: torch.device) -> Tensor:
    """[M, M], or [B, 1, M, M] with the keys of a padded batch left out. Every query sees at least one key."""
    mask = chunk_mask(frames, chunk).to(device)
    return mask if lengths is None else mask & within(lengths, frames)[:, None, None, :]


def relative_positions(frames: int, width: int) -> Tensor:
    """[2T - 1, W]: row r is the sinusoid of offset T - 1 - r (query minus key)."""
    offsets = torch.arange(frames - 1, -frames, -1, dtype=torch.float32)[:, None]
    angles = offsets * torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * -(math.log(10000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class RelativeAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.head_dim = heads, width // heads
        self.linear_q = nn.Linear(width, width)
        self.linear_k = nn.Linear(width, width)
        self.linear_v = nn.Linear(width, width)
        self.linear_out = nn.Linear(width, width)
        self.linear_pos = nn.Linear(width, width, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, self.head_dim))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, self.head_dim))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, self.head_dim)).transpose(-3, -2)  # [H, T, D]

    def forward(self, x: Tensor, table: Tensor, mask: Tensor) -> Tensor:
        t = x.shape[-2]
        q, k, v = self._split(self.linear_q(x)), self._split(self.linear_k(x)), self._split(self.linear_v(x))
        p = self._split(self.linear_pos(table))  # [H, 2T - 1, D]
        content = (q + self.pos_bias_u[:, None]) @ k.mT
        position = (q + self.pos_bias_v[:, None]) @ p.mT  # [H, T, 2T - 1]
        # Row i begins at the column of offset i, T - 1 - i: in the flat matrix, every row 2T - 2 after the one before.
        position = position.flatten(-2)[..., t - 1 :].unfold(-1, t, max(2 * t - 2, 1))
        scores = (content + position) / math.sqrt(self.head_dim)
        weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        return self.linear_out((weights @ v).transpose(-3, -2).flatten(-2))


class FeedForward(nn.Module):
    def __init__(self, width: int, ffn: int):
        super().__init__()
        self.w_1 = nn.Linear(width, ffn)
        self.w_2 = nn.Linear(ffn, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.w_2(F.silu(self.w_1(x)))


class ConformerLayer(nn.Module):
    def __init__(self, c: FlowConfig):
        super().__init__()
        self.self_attn = RelativeAttention(c.width, c.heads)
        self.feed_forward = FeedForward(c.width, c.ffn)
        self.norm_ff = nn.LayerNorm(c.width, eps=1e-12)
        self.norm_mha = nn.LayerNorm(c.width, eps=1e-12)

    def forward(self, x: Tensor, table: Tensor, mask: Tensor) -> Tensor:
        x = x + self.self_attn(self.norm_mha(x), table, mask)
        return x + self.feed_forward(self.norm_ff(x))


class Embed(nn.Module):
    def __init__(self, in_width: int, width: int):
        super().__init__()
        self.out = nn.Sequential(nn.Linear(in_width, width), nn.LayerNorm(width, eps=1e-5))
        self.scale = math.sqrt(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x) * self.scale


class PreLookahead(nn.Module):
    """Sees `lookahead` tokens into the future: the context of a non-final call, else zeros."""

    def __init__(self, width: int, lookahead: int):
        super().__init__()
        self.lookahead = lookahead
        self.conv1 = nn.Conv1d(width, width, lookahead + 1)
        self.conv2 = nn.Conv1d(width, width, 3)

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        y = x.mT  # [W, T]
        y = F.pad(y, (0, self.lookahead)) if context is None else torch.cat([y, context.mT], -1)
        y = F.leaky_relu(self.conv1(y), 0.01)
        return x + self.conv2(F.pad(y, (2, 0))).mT


class UpSample(nn.Module):
    def __init__(self, width: int, ratio: int):
        super().__init__()
        self.ratio = ratio
        self.conv = nn.Conv1d(width, width, 2 * ratio + 1)

    def forward(self, x: Tensor) -> Tensor:
        y = x.repeat_interleave(self.ratio, -2).mT
        return self.conv(F.pad(y, (2 * self.ratio, 0))).mT


class TokenEncoder(nn.Module):
    def __init__(self, c: FlowConfig):
        super().__init__()
        self.config = c
        self.embed = Embed(c.input_width, c.width)
        self.after_norm = nn.LayerNorm(c.width, eps=1e-5)
        self.pre_lookahead_layer = PreLookahead(c.width, c.lookahead)
        self.encoders = nn.ModuleList(ConformerLayer(c) for _ in range(c.blocks))
        self.up_layer = UpSample(c.width, c.token_mel_ratio)
        self.up_embed = Embed(c.width, c.width)
        self.up_encoders = nn.ModuleList(ConformerLayer(c) for _ in range(c.up_blocks))

    def forward(self, tokens: Tensor, context: Tensor | None, streaming: bool, lengths: Tensor | None = None) -> Tensor:
        """
        tokens [T, input_width], context [lookahead, input_width] or None -> [T * ratio, W]. `lengths` [B]: of a padded batch, whose
        padding then changes nothing (upstream: the look-ahead of shorter utterances sees embedded padding).
        """
        c = self.config
        x = self.embed(tokens)
        if lengths is not None:
            x = x * within(lengths, x.shape[-2])[..., None]
        x = self.pre_lookahead_layer(x, None if context is None else self.embed(context))
        x = self._run(self.encoders, x, c.chunk if streaming else x.shape[-2], lengths)
        x = self.up_embed(self.up_layer(x))
        fine = None if lengths is None else lengths * c.token_mel_ratio
        x = self._run(self.up_encoders, x, c.chunk * c.token_mel_ratio if streaming else x.shape[-2], fine)
        return self.after_norm(x)

    def _run(self, layers: nn.ModuleList, x: Tensor, chunk: int, lengths: Tensor | None) -> Tensor:
        table = relative_positions(*x.shape[-2:]).to(x.device)
        mask = attention_mask(x.shape[-2], max(chunk, 1), lengths, x.device)
        for layer in layers:
            x = layer(x, table, mask)
        return x
