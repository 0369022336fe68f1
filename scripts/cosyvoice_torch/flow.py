"""Speech tokens to mel: token encoder, then the conditional flow solved by Euler steps with guidance."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import FlowConfig
from .encoder import TokenEncoder
from .estimator import Estimator
from .noise import flow_noise


@dataclass
class FlowOutput:
    spks: Tensor
    """[80]"""
    mu: Tensor
    """[M, 80]"""
    velocity: Tensor
    """[2, 80, M]: the estimator at the first step, with and without conditions"""
    mel: Tensor
    """[80, M - prompt frames]"""


def time_points(steps: int) -> Tensor:
    """[steps + 1]: cosine spacing, 0 to 1."""
    return 1 - torch.cos(torch.linspace(0, 1, steps + 1) * 0.5 * torch.pi)


class _Decoder(nn.Module):
    def __init__(self, c: FlowConfig):
        super().__init__()
        self.estimator = Estimator(c.estimator, c.mel_bins)


class Flow(nn.Module):
    def __init__(self, c: FlowConfig):
        super().__init__()
        self.config = c
        self.input_embedding = nn.Embedding(c.codes, c.input_width)
        self.spk_embed_affine_layer = nn.Linear(c.speaker_width, c.mel_bins)
        self.encoder = TokenEncoder(c)
        self.encoder_proj = nn.Linear(c.width, c.mel_bins)
        self.decoder = _Decoder(c)

    def encode(self, ids: Tensor, streaming: bool, finalize: bool, lengths: Tensor | None = None) -> Tensor:
        """ids [N] or [B, N] of `lengths` [B] -> mu [M, 80]; a non-final call keeps the last `lookahead` tokens as context."""
        x, context = self.input_embedding(ids.long().clamp(min=0)), None
        if not finalize:
            x, context = x[..., : -self.config.lookahead, :], x[..., -self.config.lookahead :, :]
        return self.encoder_proj(self.encoder(x, context, streaming, lengths))

    def speaker(self, embedding: Tensor) -> Tensor:
        """[192] of any length -> [80]"""
        return self.spk_embed_affine_layer(F.normalize(embedding, dim=-1))

    def solve(self, mu: Tensor, spks: Tensor, cond: Tensor, streaming: bool) -> tuple[Tensor, Tensor]:
        """mu, cond [80, M], spks [80] -> mel [80, M], first velocity [2, 80, M]"""
        c = self.config
        x = flow_noise(mu.shape[1], c.mel_bins)
        points = time_points(c.steps)
        two = lambda with_conditions: torch.stack([with_conditions, torch.zeros_like(with_conditions)])
        mu, spks, cond = two(mu), two(spks), two(cond)
        t, dt, first = points[0], points[1] - points[0], None
        for step in range(1, c.steps + 1):
            velocity = self.decoder.estimator(x.expand(2, -1, -1), mu, t.expand(2), spks, cond, streaming)
            first = velocity if first is None else first
            x = x + dt * ((1.0 + c.guidance) * velocity[0] - c.guidance * velocity[1])
            t = t + dt
            if step < c.steps:
                dt = points[step + 1] - t
        return x, first

    def forward(
        self, token: Tensor, prompt_token: Tensor, prompt_feat: Tensor, embedding: Tensor, streaming: bool, finalize: bool
    ) -> FlowOutput:
        """token [S], prompt_token [P], prompt_feat [2P, 80], embedding [192]"""
        spks = self.speaker(embedding)
        mu = self.encode(torch.cat([prompt_token, token]), streaming, finalize)
        cond = torch.zeros(self.config.mel_bins, mu.shape[0])
        cond[:, : prompt_feat.shape[0]] = prompt_feat.T
        mel, velocity = self.solve(mu.T, spks, cond, streaming)
        return FlowOutput(spks, mu, velocity, mel[:, prompt_feat.shape[0] :])
