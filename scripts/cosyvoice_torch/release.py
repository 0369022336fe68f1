"""A checkpoint of any size in the official layout, with made-up weights."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch
import yaml
from tokenizers import models, pre_tokenizers, trainers
from tokenizers import Tokenizer as BpeTokenizer
from torch import Tensor

from . import speaker, speech_tokenizer
from .checkpoint import DIRECTION, LENGTH, build
from .config import EstimatorConfig, FlowConfig, LmConfig, VocoderConfig
from .flow import Flow
from .lm import Qwen2LM
from .onnx_writer import write_speaker, write_speech_tokenizer
from .speaker import SpeakerEncoder
from .speech_tokenizer import SpeechTokenizer
from .synthetic import materialise
from .text import LOAD_TIME_TOKENS, has_han
from .vocoder import Hift

DECLARED_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SPARE_ROWS = 5
"""Rows of the text embedding that no token uses; the release has some, too."""

RELEASED_MERGES = 134935
RELEASED_MERGES_SHA256 = "ac8ff86a72bee70828fbc1119bc4398c6f3a9a6e490d7b0dbe917be025478bd0"


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
    """Write campplus.onnx (28 MB, one size) and speech_tokenizer_v2.onnx as well."""
    tokenizer_width: int = 1280
    tokenizer_layers: int = 6
    tokenizer_ffn: int = 5120
    voices: list[str] = field(default_factory=lambda: ["alice", "中文女"])

    def __post_init__(self) -> None:
        for a, b in (("lm_width", "lm_heads"), ("lm_heads", "lm_kv_heads"), ("flow_width", "flow_heads")):
            if getattr(self, a) % getattr(self, b):
                raise ValueError(f"sizes: {a} {getattr(self, a)} is not a multiple of {b} {getattr(self, b)}")
        if self.hift_base % 8:
            raise ValueError(f"sizes: hift_base {self.hift_base} is not a multiple of 8; it is halved at each of 3 stages")

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


def _tokenizer_config(first_id: int) -> dict:
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(first_id + i): {"content": t, **flags} for i, t in enumerate(DECLARED_TOKENS)},
        "additional_special_tokens": list(DECLARED_TOKENS[1:]),
        "bos_token": None,
        "eos_token": DECLARED_TOKENS[0],
        "errors": "replace",
        "pad_token": DECLARED_TOKENS[0],
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }


def learn_vocabulary(lines: list[str], merges: int) -> tuple[dict[str, int], list[str]]:
    tokenizer = BpeTokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=256 + merges, initial_alphabet=alphabet, show_progress=False)
    )
    learned = json.loads(tokenizer.to_str())["model"]
    return learned["vocab"], [" ".join(m) if isinstance(m, list) else m for m in learned["merges"]]


def _bytes_of() -> dict[str, int]:
    """GPT-2's printable stand-ins -> bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, spare = {chr(b): b for b in printable}, 256
    for b in range(256):
        if b not in printable:
            table[chr(spare)] = b
            spare += 1
    return table


def joins_han(merge: str, table: dict[str, int]) -> bool:
    """Whether a merge would glue Chinese characters (or a blank and one): such merges were removed from the release."""
    try:
        text = bytes(table[c] for c in merge.replace(" ", "")).decode()
    except UnicodeDecodeError:
        return False
    word = text.lstrip(" ")
    return len(text) >= 2 and word != "" and all(has_han(c) for c in word)


def released_vocabulary(tokenizer_json: Path) -> tuple[dict[str, int], list[str]]:
    """Qwen2's vocabulary and the merges of the release, from the `tokenizer.json` of Qwen2 or Qwen2.5."""
    model = json.loads(tokenizer_json.read_text(encoding="utf-8"))["model"]
    table = _bytes_of()
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    merges = [m for m in merges if not joins_han(m, table)]
    digest = hashlib.sha256("".join(f"{m}\n" for m in merges).encode()).hexdigest()
    if len(merges) != RELEASED_MERGES or digest != RELEASED_MERGES_SHA256:
        raise ValueError(f"{tokenizer_json}: {len(merges)} merges remain (sha256 {digest}); the release has {RELEASED_MERGES}")
    return model["vocab"], merges


def write_blank_en(folder: Path, c: LmConfig, vocab: dict[str, int], merges: list[str], header: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    first = max(vocab.values()) + 1
    needed = first + len(DECLARED_TOKENS) + len(LOAD_TIME_TOKENS)
    if c.text_rows < needed:
        raise ValueError(f"sizes: text_rows {c.text_rows} is below the {needed} ids of the tokenizer")
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": first,
        "eos_token_id": first,
        "hidden_act": "silu",
        "hidden_size": c.width,
        "intermediate_size": c.ffn,
        "max_position_embeddings": 32768,
        "model_type": "qwen2",
        "num_attention_heads": c.heads,
        "num_hidden_layers": c.layers,
        "num_key_value_heads": c.kv_heads,
        "rms_norm_eps": c.norm_eps,
        "rope_theta": c.rope_theta,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "use_sliding_window": False,
        "vocab_size": c.text_rows,
    }
    dump = lambda name, data: (folder / name).write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    dump("config.json", config)
    dump("tokenizer_config.json", _tokenizer_config(first))
    dump("vocab.json", vocab)
    lines = (["#version: 0.2"] if header else []) + merges
    (folder / "merges.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


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
        rows = 256 + len(merges) + len(DECLARED_TOKENS) + len(LOAD_TIME_TOKENS) + SPARE_ROWS
        sizes = Sizes(**{**{f.name: getattr(sizes, f.name) for f in fields(sizes)}, "text_rows": rows})
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
        embedding = torch.empty(1, 192)
        fill(f"{voice}.embedding", embedding)
        voices[voice] = {"embedding": embedding * 13.0}
    _save(folder / "spk2info.pt", voices)


def write_front_end(folder: Path, sizes: Sizes, fill: Callable[[str, Tensor], None], scratch: Path) -> None:
    """`speech_tokenizer_v2.onnx` and `campplus.onnx`. A folded weight is filled under its own name, as if it had no norm to fold."""
    tokenizer = build(SpeechTokenizer, sizes.tokenizer_width, sizes.tokenizer_layers, sizes.tokenizer_ffn)
    tokenizer = speech_tokenizer.from_state(
        materialise([(n, v.shape) for n, v in tokenizer.state_dict().items()], fill, scratch)
    )
    write_speech_tokenizer(folder / "speech_tokenizer_v2.onnx", tokenizer)
    state = materialise([(n, v.shape) for n, v in build(SpeakerEncoder).state_dict().items()], fill, scratch)
    last = "xvector.dense.nonlinear.batchnorm"
    state[f"{last}.weight"], state[f"{last}.bias"] = torch.ones(192), torch.zeros(192)
    write_speaker(folder / "campplus.onnx", speaker.from_state(state))


def official_yaml(s: Sizes) -> str:
    return f"""# A made-up model in the layout of the CosyVoice2 release. The widths of the look-ahead layer and of the up-sampler follow the
# encoder's output_size; the blocks after the up-sampling ({s.flow_up_blocks}) show in the tensors of flow.pt.
sample_rate: 24000
llm_input_size: {s.lm_width}
llm_output_size: {s.lm_width}
spk_embed_dim: 192
qwen_pretrain_path: ''
token_frame_rate: 25
token_mel_ratio: 2
chunk_size: 25
num_decoding_left_chunks: -1

llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: !ref <llm_input_size>
    llm_output_size: !ref <llm_output_size>
    speech_token_size: {s.codes}
    length_normalized_loss: True
    lsm_weight: 0
    mix_ratio: [5, 15]
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: !ref <qwen_pretrain_path>
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1
flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    input_size: {s.flow_input}
    output_size: 80
    spk_embed_dim: !ref <spk_embed_dim>
    output_type: 'mel'
    vocab_size: {s.codes}
    input_frame_rate: !ref <token_frame_rate>
    only_mask_loss: True
    token_mel_ratio: !ref <token_mel_ratio>
    pre_lookahead_len: 3
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder
        output_size: {s.flow_width}
        attention_heads: {s.flow_heads}
        linear_units: {s.flow_ffn}
        num_blocks: {s.flow_blocks}
        normalize_before: True
        input_layer: 'linear'
        pos_enc_layer_type: 'rel_pos_espnet'
        selfattention_layer_type: 'rel_selfattn'
        input_size: {s.flow_input}
        use_cnn_module: False
        macaron_style: False
        static_chunk_size: !ref <chunk_size>
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM
        in_channels: 240
        n_spks: 1
        spk_emb_dim: 80
        cfm_params: !new:omegaconf.DictConfig
            content:
                sigma_min: 1e-06
                solver: 'euler'
                t_scheduler: 'cosine'
                training_cfg_rate: 0.2
                inference_cfg_rate: 0.7
                reg_loss_type: 'l1'
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder
            in_channels: 320
            out_channels: 80
            channels: [{s.estimator_channels}]
            dropout: 0.0
            attention_head_dim: {s.estimator_head_dim}
            n_blocks: {s.estimator_blocks}
            num_mid_blocks: {s.estimator_mid_blocks}
            num_heads: {s.estimator_heads}
            act_fn: 'gelu'
            static_chunk_size: !ref <chunk_size> * <token_mel_ratio>
            num_decoding_left_chunks: !ref <num_decoding_left_chunks>
hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    in_channels: 80
    base_channels: {s.hift_base}
    nb_harmonics: 8
    sampling_rate: !ref <sample_rate>
    nsf_alpha: 0.1
    nsf_sigma: 0.003
    nsf_voiced_threshold: 10
    upsample_rates: [8, 5, 3]
    upsample_kernel_sizes: [16, 11, 7]
    istft_params:
        n_fft: 16
        hop_len: 4
    resblock_kernel_sizes: [3, 7, 11]
    resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    source_resblock_kernel_sizes: [7, 7, 11]
    source_resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    lrelu_slope: 0.1
    audio_limit: 0.99
    f0_predictor: !new:cosyvoice.hifigan.f0_predictor.ConvRNNF0Predictor
        num_class: 1
        in_channels: 80
        cond_channels: {s.f0_width}
get_tokenizer: !name:cosyvoice.tokenizer.tokenizer.get_qwen_tokenizer
    token_path: !ref <qwen_pretrain_path>
    skip_special_tokens: True
allowed_special: 'all'
feat_extractor: !name:matcha.utils.audio.mel_spectrogram
    n_fft: 1920
    num_mels: 80
    sampling_rate: !ref <sample_rate>
    hop_size: 480
    win_size: 1920
    fmin: 0
    fmax: 8000
    center: False
"""
