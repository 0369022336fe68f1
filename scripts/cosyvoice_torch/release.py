"""A checkpoint of any size in the official layout, with made-up weights."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import torch
import yaml
from torch import Tensor

from . import speaker, speech_tokenizer
from .checkpoint import DIRECTION, LENGTH, build
from .config import EstimatorConfig, FlowConfig, LmConfig, VocoderConfig
from .flow import Flow
from .lm import Qwen2LM
from .official_yaml import official_yaml
from .onnx_writer import write_speaker, write_speech_tokenizer
from .speaker import SpeakerEncoder, SpeakerSizes
from .speech_tokenizer import HEAD_DIM, SpeechTokenizer
from .synthetic import materialise
from .vocabulary import learn_vocabulary, released_vocabulary, text_rows, write_blank_en
from .vocoder import Hift

@dataclass(frozen=True)
class Sizes:
    """What `--size` may set. The defaults are those of the 0.5B release."""

    lm_layers: int = 24
    lm_width: int = 896
    lm_heads: int = 14
    lm_kv_heads: int = 2
    lm_ffn: int = 4864
    text_rows: int = 151936
    merges: int = 0
    """Merges to learn from the sample text; 0: the vocabulary is given."""
    codes: int = 6561
    flow_input: int = 512
    flow_width: int = 512
    flow_heads: int = 8
    flow_ffn: int = 2048
    flow_blocks: int = 6
    flow_up_blocks: int = 4
    estimator_channels: int = 256
    estimator_heads: int = 8
    estimator_head_dim: int = 64
    estimator_blocks: int = 4
    estimator_mid_blocks: int = 12
    hift_base: int = 512
    f0_width: int = 512
    weight_norm: str = "parametrizations"
    """How hift.pt names normed weights: `parametrizations` or `legacy`."""
    trainer_keys: bool = False
    """Add the integers `epoch` and `step` to llm.pt and flow.pt, as a fine-tuning run does."""
    front_end: bool = True
    """Write campplus.onnx and speech_tokenizer_v2.onnx as well."""
    tokenizer_width: int = 1280
    tokenizer_layers: int = 6
    tokenizer_ffn: int = 5120
    tokenizer_dims: int = 8
    """Digits of a code in base 3."""
    speaker_head: int = 32
    speaker_channels: int = 128
    speaker_layers: list[int] = field(default_factory=lambda: [12, 24, 16])
    """Of each dense block."""
    speaker_growth: int = 32
    speaker_bottleneck: int = 128
    voices: list[str] = field(default_factory=lambda: ["alice", "中文女"])

    def __post_init__(self) -> None:
        for a, b in (("lm_width", "lm_heads"), ("lm_heads", "lm_kv_heads"), ("flow_width", "flow_heads")):
            if getattr(self, a) % getattr(self, b):
                raise ValueError(f"sizes: {a} {getattr(self, a)} is not a multiple of {b} {getattr(self, b)}")
        if self.hift_base % 8:
            raise ValueError(f"sizes: hift_base {self.hift_base} is not a multiple of 8; it is halved at each of 3 stages")
        if self.tokenizer_width % HEAD_DIM:
            raise ValueError(f"sizes: tokenizer_width {self.tokenizer_width} is not a multiple of {HEAD_DIM}, its heads' width")

    @property
    def lm(self) -> LmConfig:
        return LmConfig(
            self.lm_layers, self.lm_width, self.lm_heads, self.lm_kv_heads, self.lm_ffn, self.text_rows, self.codes
        )

    @property
    def flow(self) -> FlowConfig:
        e = (self.estimator_channels, self.estimator_heads, self.estimator_head_dim)
        estimator = EstimatorConfig(320, *e, self.estimator_blocks, self.estimator_mid_blocks, 50)
        f = (self.flow_input, self.flow_width, self.flow_heads, self.flow_ffn, self.flow_blocks, self.flow_up_blocks)
        return FlowConfig(self.codes, *f, 25, estimator)

    @property
    def vocoder(self) -> VocoderConfig:
        return VocoderConfig(self.hift_base, self.f0_width)

    @property
    def speaker(self) -> SpeakerSizes:
        widths = (self.speaker_head, self.speaker_channels, tuple(self.speaker_layers))
        return SpeakerSizes(*widths, self.speaker_growth, self.speaker_bottleneck, self.flow.speaker_width)


PRESETS: dict[str, Sizes] = {
    "full": Sizes(),
    "mini": Sizes(
        **dict(lm_layers=3, lm_width=128, lm_heads=2, lm_kv_heads=1, lm_ffn=352, merges=512),
        **dict(flow_input=128, flow_width=128, flow_heads=2, flow_ffn=256, flow_blocks=2, flow_up_blocks=2),
        **dict(estimator_channels=128, estimator_heads=2, estimator_blocks=2, estimator_mid_blocks=2),
        **dict(hift_base=128, f0_width=64, tokenizer_width=128, tokenizer_layers=2, tokenizer_ffn=512),
    ),
}


def read_sizes(text: str) -> Sizes:
    """The name of a preset, or a yaml or json file of the fields of `Sizes`."""
    if text in PRESETS:
        return PRESETS[text]
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"--size {text}: neither one of {', '.join(PRESETS)} nor a file of sizes")
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = set(given) - {f.name for f in fields(Sizes)}
    if unknown:
        raise ValueError(f"{path}: unknown sizes {sorted(unknown)}; known: {[f.name for f in fields(Sizes)]}")
    return Sizes(**given)


def official_names(vocoder: Hift, legacy: bool) -> list[tuple[str, str, torch.Size]]:
    """(name in the file, name for the fill, shape) of every tensor of hift.pt; the fill always goes by the newer scheme."""
    out, normed = [], {f"{m}.weight" for m in vocoder.weight_normed()}
    for name, value in vocoder.state_dict().items():
        if name not in normed:
            out.append((name, name, value.shape))
            continue
        base = name.removesuffix("weight")
        length = torch.Size([value.shape[0], *[1] * (value.dim() - 1)])
        out.append((base + ("weight_g" if legacy else LENGTH), base + LENGTH, length))
        out.append((base + ("weight_v" if legacy else DIRECTION), base + DIRECTION, value.shape))
    return out


def _save(path: Path, state: dict[str, Tensor]) -> None:
    part = path.with_name(path.name + ".part")
    torch.save(state, part)
    part.rename(path)


def write_release(
    folder: Path, sizes: Sizes, fill: Callable[[str, Tensor], None], tokenizer_json: Path | None, lines: list[str]
) -> None:
    """Writes `cosyvoice2.yaml`, `llm.pt`, `flow.pt`, `hift.pt`, `spk2info.pt` and `CosyVoice-BlankEN/`."""
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer_json is not None:
        vocab, merges = released_vocabulary(tokenizer_json)
    elif sizes.merges:
        vocab, merges = learn_vocabulary(lines, sizes.merges)
        sizes = replace(sizes, text_rows=text_rows(vocab))
    else:
        raise ValueError("sizes with merges 0 need --tokenizer-json: the tokenizer.json of Qwen2.5")
    write_blank_en(folder / "CosyVoice-BlankEN", sizes.lm, vocab, merges, header=tokenizer_json is None)
    (folder / "cosyvoice2.yaml").write_text(official_yaml(sizes), encoding="utf-8")
    trainer = {"epoch": 3, "step": 1200} if sizes.trainer_keys else {}

    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
        module = build(Qwen2LM, sizes.lm)
        head = "llm.model.lm_head.weight"
        shapes = [(n, v.shape) for n, v in module.state_dict().items() if n != head]
        state = materialise(shapes, fill, Path(scratch))
        state[head] = state["llm.model.model.embed_tokens.weight"]
        _save(folder / "llm.pt", state | trainer)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
        shapes = [(n, v.shape) for n, v in build(Flow, sizes.flow).state_dict().items()]
        _save(folder / "flow.pt", materialise(shapes, fill, Path(scratch)) | trainer)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
        names = official_names(build(Hift, sizes.vocoder), sizes.weight_norm == "legacy")
        state = materialise([(by, shape) for _, by, shape in names], fill, Path(scratch))
        _save(folder / "hift.pt", {name: state[by] for name, by, _ in names})

    if sizes.front_end:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
            write_front_end(folder, sizes, fill, Path(scratch))
    voices = {}
    for voice in sizes.voices:
        embedding = torch.empty(1, sizes.flow.speaker_width)
        fill(f"{voice}.embedding", embedding)
        voices[voice] = {"embedding": embedding * 13.0}
    _save(folder / "spk2info.pt", voices)


def write_hearing(folder: Path, sizes: Sizes, fill: Callable[[str, Tensor], None]) -> None:
    """A release of the two ONNX files alone, and `cosyvoice2.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cosyvoice2.yaml").write_text(official_yaml(sizes), encoding="utf-8")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as scratch:
        write_front_end(folder, sizes, fill, Path(scratch))


def write_front_end(folder: Path, sizes: Sizes, fill: Callable[[str, Tensor], None], scratch: Path) -> None:
    """`speech_tokenizer_v2.onnx` and `campplus.onnx`. A folded weight is filled under its own name, as if it had no norm to fold."""
    widths = (sizes.tokenizer_width, sizes.tokenizer_layers, sizes.tokenizer_ffn, sizes.tokenizer_dims)
    tokenizer = build(SpeechTokenizer, *widths)
    tokenizer = speech_tokenizer.from_state(
        materialise([(n, v.shape) for n, v in tokenizer.state_dict().items()], fill, scratch)
    )
    write_speech_tokenizer(folder / "speech_tokenizer_v2.onnx", tokenizer)
    state = materialise([(n, v.shape) for n, v in build(SpeakerEncoder, sizes.speaker).state_dict().items()], fill, scratch)
    last, width = "xvector.dense.nonlinear.batchnorm", sizes.speaker.embedding
    state[f"{last}.weight"], state[f"{last}.bias"] = torch.ones(width), torch.zeros(width)
    write_speaker(folder / "campplus.onnx", speaker.from_state(state))
