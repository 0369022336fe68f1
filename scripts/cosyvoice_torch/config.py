"""Every size of one model, read from `cosyvoice2.yaml` and `CosyVoice-BlankEN/config.json`. Field names follow the engine's `src/config.ts`."""

import ast
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class LmConfig:
    layers: int
    width: int
    heads: int
    kv_heads: int
    ffn: int
    text_rows: int
    speech_codes: int
    rope_theta: float = 1e6
    norm_eps: float = 1e-6
    mix_ratio: tuple[int, int] = (5, 15)
    top_p: float = 0.8
    top_k: int = 25

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    @property
    def speech_rows(self) -> int:
        """Codes, then eos, an unused id, and fill."""
        return self.speech_codes + 3


@dataclass(frozen=True)
class EstimatorConfig:
    in_channels: int
    channels: int
    heads: int
    head_dim: int
    blocks: int
    mid_blocks: int
    chunk: int

    @property
    def time_width(self) -> int:
        return 4 * self.channels


@dataclass(frozen=True)
class FlowConfig:
    codes: int
    input_width: int
    width: int
    heads: int
    ffn: int
    blocks: int
    up_blocks: int
    chunk: int
    estimator: EstimatorConfig
    lookahead: int = 3
    token_mel_ratio: int = 2
    speaker_width: int = 192
    mel_bins: int = 80
    steps: int = 10
    guidance: float = 0.7


@dataclass(frozen=True)
class VocoderConfig:
    base: int
    f0_width: int
    mel_bins: int = 80
    sample_rate: int = 24000
    overtones: int = 8
    sine_amp: float = 0.1
    noise_std: float = 0.003
    voiced_threshold: float = 10.0
    up_rates: tuple[int, ...] = (8, 5, 3)
    up_kernels: tuple[int, ...] = (16, 11, 7)
    n_fft: int = 16
    hop: int = 4
    res_kernels: tuple[int, ...] = (3, 7, 11)
    res_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5),) * 3
    source_res_kernels: tuple[int, ...] = (7, 7, 11)
    source_res_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5),) * 3
    leaky_slope: float = 0.1
    audio_limit: float = 0.99
    f0_layers: int = 5

    @property
    def samples_per_frame(self) -> int:
        n = self.hop
        for rate in self.up_rates:
            n *= rate
        return n

    def stage_channels(self, stage: int) -> int:
        return self.base >> (stage + 1)


@dataclass(frozen=True)
class Config:
    lm: LmConfig
    flow: FlowConfig
    vocoder: VocoderConfig
    yaml: dict = field(default_factory=dict, compare=False)


class _TaggedLoader(yaml.SafeLoader):
    """Reads hyperpyyaml's tags as plain data; nothing is imported or called."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    value = loader.construct_scalar(node)
    return {"$ref": value} if suffix.startswith("ref") else value


_TaggedLoader.add_multi_constructor("!", _tagged)


def _product(expression: str, root: dict) -> Any:
    """`<name>` or an arithmetic expression of names and numbers, such as `<chunk_size> * <token_mel_ratio>`."""
    whole = re.fullmatch(r"\s*<([\w]+)>\s*", expression)
    if whole:
        return root[whole[1]]
    text = re.sub(r"<(\w+)>", lambda m: repr(root[m[1]]), expression)

    def walk(node: ast.AST) -> Any:
        match node:
            case ast.Expression(body=body):
                return walk(body)
            case ast.Constant(value=int() | float()):
                return node.value
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return walk(left) * walk(right)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return walk(left) + walk(right)
            case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
                return walk(left) // walk(right)
        raise ValueError(f"cosyvoice2.yaml: cannot evaluate the reference {expression!r}")

    return walk(ast.parse(text, mode="eval"))


def _resolve(value: Any, root: dict) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$ref"}:
            return _product(value["$ref"], root)
        return {k: _resolve(v, root) for k, v in value.items()}
    if isinstance(value, list):
        return [_resolve(v, root) for v in value]
    return value


def read_yaml(path: Path) -> dict:
    root = yaml.load(path.read_text(encoding="utf-8"), _TaggedLoader)
    for key in root:
        root[key] = _resolve(root[key], root)
    return root


def _deep(values: list) -> tuple:
    return tuple(tuple(v) if isinstance(v, list) else v for v in values)


def read_config(model_dir: Path, up_blocks: int | None = None) -> Config:
    """`up_blocks`: conformer blocks after the up-sampling. The yaml does not name it (4 in the release); `flow.pt` shows it."""
    y = read_yaml(model_dir / "cosyvoice2.yaml")
    qwen = json.loads((model_dir / "CosyVoice-BlankEN" / "config.json").read_text())
    sampling = y["llm"].get("sampling") or {}
    lm = LmConfig(
        layers=qwen["num_hidden_layers"],
        width=qwen["hidden_size"],
        heads=qwen["num_attention_heads"],
        kv_heads=qwen["num_key_value_heads"],
        ffn=qwen["intermediate_size"],
        text_rows=qwen["vocab_size"],
        speech_codes=y["llm"]["speech_token_size"],
        rope_theta=float(qwen["rope_theta"]),
        norm_eps=float(qwen["rms_norm_eps"]),
        mix_ratio=tuple(y["llm"].get("mix_ratio", (5, 15))),
        top_p=sampling.get("top_p", 0.8),
        top_k=sampling.get("top_k", 25),
    )
    f, e = y["flow"], y["flow"]["encoder"]
    d = y["flow"]["decoder"]["estimator"]
    cfm = y["flow"]["decoder"]["cfm_params"]
    cfm = cfm.get("content", cfm)
    flow = FlowConfig(
        codes=f["vocab_size"],
        input_width=f["input_size"],
        width=e["output_size"],
        heads=e["attention_heads"],
        ffn=e["linear_units"],
        blocks=e["num_blocks"],
        up_blocks=up_blocks if up_blocks is not None else 4,
        chunk=e["static_chunk_size"],
        lookahead=f["pre_lookahead_len"],
        token_mel_ratio=f["token_mel_ratio"],
        speaker_width=f["spk_embed_dim"],
        mel_bins=f["output_size"],
        guidance=cfm["inference_cfg_rate"],
        estimator=EstimatorConfig(
            in_channels=d["in_channels"],
            channels=d["channels"][0],
            heads=d["num_heads"],
            head_dim=d["attention_head_dim"],
            blocks=d["n_blocks"],
            mid_blocks=d["num_mid_blocks"],
            chunk=d["static_chunk_size"],
        ),
    )
    h = y["hift"]
    vocoder = VocoderConfig(
        base=h["base_channels"],
        f0_width=h["f0_predictor"]["cond_channels"],
        mel_bins=h["in_channels"],
        sample_rate=h["sampling_rate"],
        overtones=h["nb_harmonics"],
        sine_amp=h["nsf_alpha"],
        noise_std=h["nsf_sigma"],
        voiced_threshold=h["nsf_voiced_threshold"],
        up_rates=_deep(h["upsample_rates"]),
        up_kernels=_deep(h["upsample_kernel_sizes"]),
        n_fft=h["istft_params"]["n_fft"],
        hop=h["istft_params"]["hop_len"],
        res_kernels=_deep(h["resblock_kernel_sizes"]),
        res_dilations=_deep(h["resblock_dilation_sizes"]),
        source_res_kernels=_deep(h["source_resblock_kernel_sizes"]),
        source_res_dilations=_deep(h["source_resblock_dilation_sizes"]),
        leaky_slope=h["lrelu_slope"],
        audio_limit=h["audio_limit"],
    )
    return Config(lm, flow, vocoder, y)
