"""FSQ speech tokenizer v2: 128-bin log-mel at 100 frames a second in, one of 3^dims codes 25 times a second out (released: 3^8)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .lm import rotary, rotate

HEAD_DIM, FSQ_DIMS, FSMN_KERNEL, MEL_BINS = 64, 8, 31, 128
LEVEL_SCALE = 0.9990000128746033


class MemoryAttention(nn.Module):
    """Self-attention with rotary positions, plus a depthwise convolution over the values (FSMN)."""

    def __init__(self, width: int):
        super().__init__()
        self.heads = width // HEAD_DIM
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.fsmn_block = nn.Conv1d(width, width, FSMN_KERNEL, groups=width, bias=False, padding=FSMN_KERNEL // 2)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None = None) -> Tensor:
        """[B, T, W]; mask [B, T, 1]: 1 inside the utterance, 0 in the padding"""
        b, t, w = x.shape
        q, k, v = self.query(x), self.key(x), self.value(x)
        split = lambda y: y.reshape(b, t, self.heads, HEAD_DIM).transpose(1, 2)
        scale = HEAD_DIM**-0.25
        scores = (rotate(split(q), cos, sin) * scale) @ (rotate(split(k), cos, sin) * scale).transpose(2, 3)
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, None, :, 0] == 0, -1e9)
            v = v * mask
        attended = (scores.softmax(-1) @ split(v)).transpose(1, 2).reshape(b, t, w)
        memory = self.fsmn_block(v.transpose(1, 2)).transpose(1, 2) + v
        return self.out(attended) + memory


class Block(nn.Module):
    def __init__(self, width: int, ffn: int):
        super().__init__()
        self.attn = MemoryAttention(width)
        self.attn_ln = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, ffn), nn.GELU(), nn.Linear(ffn, width))
        self.mlp_ln = nn.LayerNorm(width, eps=1e-5)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.attn(self.attn_ln(x), cos, sin, mask)
        return x + self.mlp(self.mlp_ln(x))


class Quantizer(nn.Module):
    def __init__(self, width: int, dims: int = FSQ_DIMS):
        super().__init__()
        self.project_in = nn.Linear(width, dims)

    def forward(self, x: Tensor) -> Tensor:
        """[1, T, W] -> ids [1, T]; dimension 0 is the least significant digit in base 3"""
        return self.ids(self.project_in(x))

    @staticmethod
    def levels(hidden: Tensor) -> Tensor:
        """-1, 0 or 1 in each dimension; the gradient is that of tanh"""
        bounded = torch.tanh(hidden) * LEVEL_SCALE
        return bounded + (torch.round(bounded) - bounded).detach()

    @staticmethod
    def ids(hidden: Tensor) -> Tensor:
        digits = torch.round(torch.tanh(hidden) * LEVEL_SCALE) + 1
        return (digits.long() * 3 ** torch.arange(hidden.shape[-1], device=hidden.device)).sum(-1)


class SpeechTokenizer(nn.Module):
    def __init__(self, width: int, layers: int, ffn: int, dims: int = FSQ_DIMS):
        super().__init__()
        self.conv1 = nn.Conv1d(MEL_BINS, width, 3, stride=2, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(Block(width, ffn) for _ in range(layers))
        self.quantizer = Quantizer(width, dims)

    def encode(self, mel: Tensor, lengths: Tensor | None = None) -> Tensor:
        """[B, 128, F] -> [B, T, W]; lengths [B] in frames where the batch is padded (with zeros)"""
        x = F.gelu(self.conv1(mel))
        if lengths is not None:
            x = x * (torch.arange(x.shape[2], device=mel.device) < ((lengths + 1) // 2)[:, None])[:, None]
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        mask = None if lengths is None else (torch.arange(x.shape[1], device=mel.device) < ((lengths + 3) // 4)[:, None])[..., None].to(x.dtype)
        cos, sin = rotary(torch.arange(x.shape[1], device=mel.device), HEAD_DIM, 10000.0)
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return x

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """[1, 128, F] -> hidden [T, dims] before tanh, ids [T]"""
        hidden = self.quantizer.project_in(self.encode(mel))[0]
        return hidden, self.quantizer.ids(hidden)


def from_state(state: dict[str, Tensor]) -> SpeechTokenizer:
    """The module whose sizes the tensors show."""
    layers = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    with torch.device("meta"):
        module = SpeechTokenizer(state["conv1.weight"].shape[0], layers, state["blocks.0.mlp.0.weight"].shape[0], state["quantizer.project_in.weight"].shape[0])
    module.load_state_dict(state, assign=True)
    return module.eval().requires_grad_(False)
