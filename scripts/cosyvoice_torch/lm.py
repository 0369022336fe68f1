"""Qwen2LM: text and speech ids in, distributions over speech ids out. Tensor names are those of `llm.pt`."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import LmConfig

SOS, TASK = 0, 1
"""Rows of `llm_embedding`."""


class RmsNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def rotary(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """cos and sin, each [T, head_dim]; the half-split form, angles repeated for both halves."""
    inverse = 1.0 / (theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions.device) / head_dim))
    angles = positions.float()[:, None] * inverse[None]
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class Attention(nn.Module):
    """Causal grouped-query attention over a growing cache."""

    def __init__(self, c: LmConfig):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = c.heads, c.kv_heads, c.head_dim
        self.q_proj = nn.Linear(c.width, c.heads * c.head_dim)
        self.k_proj = nn.Linear(c.width, c.kv_heads * c.head_dim)
        self.v_proj = nn.Linear(c.width, c.kv_heads * c.head_dim)
        self.o_proj = nn.Linear(c.heads * c.head_dim, c.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, past: tuple[Tensor, Tensor] | None):
        """x [..., T, W], cos and sin [T, D]; every sequence of a batch is causal by itself, so padding at its end is never seen."""
        t = x.shape[-2]
        split = lambda y, heads: y.unflatten(-1, (heads, self.head_dim)).transpose(-3, -2)
        q = rotate(split(self.q_proj(x), self.heads), cos, sin)  # [..., H, T, D]
        k = rotate(split(self.k_proj(x), self.kv_heads), cos, sin)  # [..., G, T, D]
        v = split(self.v_proj(x), self.kv_heads)
        if past is not None:
            k, v = torch.cat([past[0], k], -2), torch.cat([past[1], v], -2)
        s = k.shape[-2]
        share = self.heads // self.kv_heads
        # Written out: on a CPU the fused attention's backward is several times slower at training lengths.
        scores = q @ k.repeat_interleave(share, -3).transpose(-2, -1) * self.head_dim**-0.5
        visible = torch.ones(t, s, dtype=torch.bool, device=x.device).tril(s - t)
        weights = scores.masked_fill(~visible, float("-inf")).softmax(-1)
        out = weights @ v.repeat_interleave(share, -3)
        return self.o_proj(out.transpose(-3, -2).flatten(-2)), (k, v)


class Mlp(nn.Module):
    def __init__(self, c: LmConfig):
        super().__init__()
        self.gate_proj = nn.Linear(c.width, c.ffn, bias=False)
        self.up_proj = nn.Linear(c.width, c.ffn, bias=False)
        self.down_proj = nn.Linear(c.ffn, c.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c: LmConfig):
        super().__init__()
        self.input_layernorm = RmsNorm(c.width, c.norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RmsNorm(c.width, c.norm_eps)
        self.mlp = Mlp(c)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, past: tuple[Tensor, Tensor] | None):
        attended, cache = self.self_attn(self.input_layernorm(x), cos, sin, past)
        x = x + attended
        return x + self.mlp(self.post_attention_layernorm(x)), cache


class Backbone(nn.Module):
    def __init__(self, c: LmConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(c.text_rows, c.width)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = RmsNorm(c.width, c.norm_eps)


class _Named(nn.Module):
    """A level of the tensor names that does nothing itself."""

    def __init__(self, **children: nn.Module):
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class Qwen2LM(nn.Module):
    def __init__(self, c: LmConfig):
        super().__init__()
        self.config = c
        self.llm_embedding = nn.Embedding(2, c.width)
        self.llm = _Named(model=_Named(model=Backbone(c), lm_head=nn.Linear(c.width, c.text_rows, bias=False)))
        self.llm_decoder = nn.Linear(c.width, c.speech_rows)
        self.speech_embedding = nn.Embedding(c.speech_rows, c.width)

    @property
    def backbone(self) -> Backbone:
        return self.llm.model.model

    def prompt(self, text_ids: Tensor, speech_ids: Tensor) -> Tensor:
        """sos, text, task, speech: [2 + T + P, W]."""
        marks = self.llm_embedding.weight
        text = self.backbone.embed_tokens(text_ids.long())
        return torch.cat([marks[SOS : SOS + 1], text, marks[TASK : TASK + 1], self.speech_embedding(speech_ids.long())])

    def session(self) -> "Session":
        return Session(self)

    def head(self, hidden: Tensor) -> Tensor:
        return self.llm_decoder(hidden).log_softmax(-1)


class Session:
    """One utterance: the key/value cache and the position reached."""

    def __init__(self, lm: Qwen2LM):
        self.lm = lm
        self.position = 0
        self.cache: list = [None] * lm.config.layers

    def feed(self, x: Tensor) -> Tensor:
        """x [T, W] -> post-norm hidden state of the last position [W]."""
        c = self.lm.config
        positions = torch.arange(self.position, self.position + x.shape[0])
        self.position += x.shape[0]
        cos, sin = rotary(positions, c.head_dim, c.rope_theta)
        for i, layer in enumerate(self.lm.backbone.layers):
            x, self.cache[i] = layer(x, cos, sin, self.cache[i])
        return self.lm.backbone.norm(x)[-1]

    def step(self, x: Tensor) -> Tensor:
        """x [T, W] -> log-probabilities [V] after it."""
        return self.lm.head(self.feed(x))


def forced(lm: Qwen2LM, text_ids: Tensor, prompt_speech_ids: Tensor, forced_ids: Tensor) -> Tensor:
    """[S + 1, V]: the distribution after the prompt and after every forced id."""
    session = lm.session()
    rows = [session.step(lm.prompt(text_ids, prompt_speech_ids))]
    rows += [session.step(lm.speech_embedding(i.long())[None]) for i in forced_ids]
    return torch.stack(rows)


def greedy(lm: Qwen2LM, text_ids: Tensor, prompt_speech_ids: Tensor, steps: int) -> Tensor:
    """[steps]: arg-max with the stop ids masked."""
    session = lm.session()
    x, ids = lm.prompt(text_ids, prompt_speech_ids), []
    for _ in range(steps):
        ids.append(int(session.step(x)[: lm.config.speech_codes].argmax()))
        x = lm.speech_embedding(torch.tensor(ids[-1:]))
    return torch.tensor(ids)


def nucleus(logprobs: Tensor, top_p: float, top_k: int) -> tuple[Tensor, Tensor]:
    """Candidates of the sampler: ids [k] and probabilities [k], descending, equal ones by id; the one that crosses top_p stays."""
    p, order = logprobs.softmax(-1).sort(descending=True, stable=True)
    total, k = torch.zeros((), dtype=p.dtype), 0
    while k < len(p) and k < top_k and total < top_p:
        total, k = total + p[k], k + 1
    return order[:k], p[:k]


def feeds(
    lm: Qwen2LM, prompt_text_ids: Tensor, text_ids: Tensor, prompt_speech_ids: Tensor, choose
) -> Iterator[tuple[Tensor, int]]:
    """
    Streamed text: blocks of 5 text and 15 speech ids. Yields (log-probabilities [V], chosen id) at every decode step.
    `choose(logprobs, ending)` picks the id where the schedule does not force a fill. The order is that of the official
    `inference_bistream`, stale input after a fill and dropped prompt speech included.
    """
    c = lm.config
    eos, fill = c.speech_codes, c.speech_codes + 2
    n_text, n_speech = c.mix_ratio
    text_rows, speech_rows = lm.backbone.embed_tokens, lm.speech_embedding
    session = lm.session()
    prefix = lm.llm_embedding.weight[SOS : SOS + 1]
    waiting = prompt_text_ids.long()
    speech_left = prompt_speech_ids.long()
    next_fill = (len(speech_left) // n_speech + 1) * n_speech - len(speech_left)
    out: list[int] = []

    for text_id in text_ids.long():
        waiting = torch.cat([waiting, text_id[None]])
        while len(speech_left) and len(waiting) >= n_text:
            prefix = torch.cat([prefix, text_rows(waiting[:n_text]), speech_rows(speech_left[:n_speech])])
            waiting, speech_left = waiting[n_text:], speech_left[n_speech:]
        if len(speech_left):
            continue
        after_fill = bool(out) and out[-1] == fill
        if after_fill or (not out and len(prefix) == 1):
            if len(waiting) < n_text:
                continue
            block = text_rows(waiting[:n_text])
            waiting = waiting[n_text:]
            prefix = block if after_fill else torch.cat([prefix, block])
        while True:
            logprobs = session.step(prefix)
            chosen = fill if len(out) == next_fill else choose(logprobs, False)
            if chosen == fill:
                next_fill = len(out) + n_speech + 1
            out.append(chosen)
            yield logprobs, chosen
            if chosen == fill:
                break
            if chosen >= eos:
                raise ValueError(f"bistream: id {chosen} inside a block; only codes below {eos} and fill {fill} may appear")
            prefix = speech_rows(torch.tensor([chosen]))

    x = torch.cat([prefix, text_rows(waiting), lm.llm_embedding.weight[TASK : TASK + 1]])
    while True:
        logprobs = session.step(x)
        chosen = choose(logprobs, True)
        yield logprobs, chosen
        if chosen == eos:
            return
        if chosen > eos:
            raise ValueError(f"bistream: id {chosen} after the text; only codes and eos {eos} may appear")
        x = speech_rows(torch.tensor([chosen]))


def bistream_forced(lm: Qwen2LM, prompt_text_ids: Tensor, text_ids: Tensor, prompt_speech_ids: Tensor, out_ids: Tensor) -> Tensor:
    """[len(out_ids), V]: distributions along a recorded run; `out_ids` ends with the stop id."""
    rows: list[Tensor] = []
    queue = out_ids.tolist()
    for logprobs, chosen in feeds(lm, prompt_text_ids, text_ids, prompt_speech_ids, lambda *_: queue[len(rows)]):
        if chosen != queue[len(rows)]:
            raise ValueError(f"bistream: step {len(rows)} must be the fill id, the record says {queue[len(rows)]}")
        rows.append(logprobs)
        if len(rows) == len(queue):
            break
    return torch.stack(rows)
