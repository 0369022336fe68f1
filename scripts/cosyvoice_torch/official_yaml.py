"""`cosyvoice2.yaml` of a model of any size."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .text import SEGMENT_LENGTH

if TYPE_CHECKING:
    from .release import Sizes


@dataclass(frozen=True)
class Sampling:
    """How the language model's next code is drawn, how many there may be, and for how much text; the defaults are those of the release."""

    top_p: float = 0.8
    top_k: int = 25
    win_size: int = 10
    tau_r: float = 0.1
    min_token_text_ratio: float = 2.0
    """Codes for each text id, at least and at most."""
    max_token_text_ratio: float = 20.0
    segment_length: int = SEGMENT_LENGTH
    """Text ids that are spoken in one piece; with a few, every sentence by itself."""
    segment_limit: int = SEGMENT_LENGTH
    """Text ids that are spoken well in one piece, at most: longer sentences are cut."""


@dataclass(frozen=True)
class Speaks:
    """What a voice of little training can say; the engine folds a text to it and refuses what was not learned. A release has none."""

    characters: str
    """All of the texts that it learned from, in order."""
    languages: tuple[str, ...]
    """BCP 47."""
    modes: tuple[str, ...]
    """Of "sft", "zero-shot", "cross-lingual" and "instruct"."""


MADE_UP = "A made-up model in the layout of the CosyVoice2 release."


def own_fields(sampling: Sampling, speaks: Speaks | None) -> str:
    """Lines that cosyvoice-webgpu alone reads; none where upstream's front end does the same."""
    lines = [f"{key}: {value}" for key in ("segment_length", "segment_limit") if (value := getattr(sampling, key)) != SEGMENT_LENGTH]
    if speaks:
        lines += ["speaks:", *(f"    {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in asdict(speaks).items())]
    return "\n".join(["# For cosyvoice-webgpu; upstream reads none of these.", *lines, ""]) if lines else ""


def official_yaml(s: Sizes, sampling: Sampling = Sampling(), about: str = MADE_UP, speaks: Speaks | None = None) -> str:
    """`about`: one line that says what the model is."""
    return f"""# {about} The widths of the look-ahead layer and of the up-sampler follow the
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
{own_fields(sampling, speaks)}
llm: !new:cosyvoice.llm.llm.Qwen2LM
    llm_input_size: !ref <llm_input_size>
    llm_output_size: !ref <llm_output_size>
    speech_token_size: {s.codes}
    length_normalized_loss: True
    lsm_weight: 0
    mix_ratio: [5, 15]
    min_token_text_ratio: {sampling.min_token_text_ratio:g}
    max_token_text_ratio: {sampling.max_token_text_ratio:g}
    llm: !new:cosyvoice.llm.llm.Qwen2Encoder
        pretrain_path: !ref <qwen_pretrain_path>
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: {sampling.top_p}
        top_k: {sampling.top_k}
        win_size: {sampling.win_size}
        tau_r: {sampling.tau_r}
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
