/**
 * `Config` from an official release: the yaml says what the code cannot see (rates, kernels, chunk sizes), BlankEN's
 * config.json describes the text model, and the tensors' shapes and names decide every size that they show.
 *
 * Constants that the official code writes in its source rather than in the yaml stand here with their origin.
 */
import type {
  Config,
  EstimatorConfig,
  FlowConfig,
  LmConfig,
  MelConfig,
  SpeakerConfig,
  SpeaksConfig,
  SpeechTokenizerConfig,
  VocoderConfig,
} from "../config.js";
import { FileError } from "../errors.js";
import type { Lookup } from "./lookup.js";
import type { OnnxTensors } from "./onnxNames.js";
import type { LazyTensor } from "./tensor.js";

/** The tensors of one component and what their shapes say. */
export class Shapes {
  constructor(
    /** For messages: the file. */
    readonly name: string,
    private readonly tensors: ReadonlyMap<string, LazyTensor>,
  ) {}

  /** Size of one dimension. @throws FileError when the tensor or the dimension is missing, or the size is 0. */
  size(tensor: string, axis: number): number {
    const size = this.tensors.get(tensor)?.shape[axis];
    if (!size)
      throw new FileError(
        `${this.name}: ${tensor} is missing or has no dimension ${axis}; is this a CosyVoice2 checkpoint?`,
      );
    return size;
  }

  has(tensor: string): boolean {
    return this.tensors.has(tensor);
  }

  /** How many of `name(0)`, `name(1)`, ... follow each other. */
  count(name: (index: number) => string): number {
    let index = 0;
    while (this.tensors.has(name(index))) index++;
    return index;
  }
}

/** Everything a part of the config is built from. */
export interface Sources {
  readonly yaml: Lookup;
  /** BlankEN/config.json; needed for the language model. */
  readonly blank: Lookup | undefined;
  readonly lm: Shapes | undefined;
  readonly flow: Shapes | undefined;
  readonly vocoder: Shapes | undefined;
  readonly speechTokenizer: { readonly shapes: Shapes; readonly onnx: OnnxTensors } | undefined;
  readonly speaker: { readonly shapes: Shapes; readonly onnx: OnnxTensors } | undefined;
}

export function buildConfig(sources: Sources): Config {
  const { yaml, blank, lm, flow, vocoder, speechTokenizer, speaker } = sources;
  if (lm && !blank) throw new FileError(`${lm.name}: the folder "CosyVoice-BlankEN" with config.json is missing`);
  return {
    format: "cosyvoice-webgpu-1",
    generation: "cosyvoice2",
    sampleRate: yaml.int("sample_rate", 24000, 1),
    tokenRate: yaml.int("token_frame_rate", 25, 1),
    tokenMelRatio: yaml.int("token_mel_ratio", 2, 1),
    ...(yaml.at("segment_length") !== undefined && { segmentLength: yaml.int("segment_length", 0, 1) }),
    ...(yaml.at("segment_limit") !== undefined && { segmentLimit: yaml.int("segment_limit", 0, 1) }),
    ...(yaml.at("speaks") !== undefined && { speaks: yaml.at("speaks") as SpeaksConfig }),
    ...(lm && blank && { lm: lmConfig(lm, yaml, blank) }),
    ...(flow && { flow: flowConfig(flow, yaml) }),
    ...(vocoder && { vocoder: vocoderConfig(vocoder, yaml) }),
    ...(speechTokenizer && { speechTokenizer: speechTokenizerConfig(speechTokenizer.shapes, speechTokenizer.onnx) }),
    ...(speaker && { speaker: speakerConfig(speaker.shapes, speaker.onnx) }),
    mel: melConfig(yaml),
  };
}

const LAYER = (i: number) => `llm.model.model.layers.${i}`;

function lmConfig(tensors: Shapes, yaml: Lookup, blank: Lookup): LmConfig {
  const width = tensors.size("llm.model.model.embed_tokens.weight", 1);
  const heads = blank.int("num_attention_heads", undefined, 1);
  const kvHeads = blank.int("num_key_value_heads", heads, 1);
  if (blank.at("head_dim") === undefined && width % heads !== 0)
    throw blank.error("num_attention_heads", heads, `a divisor of the width of the language model, ${width}`);
  if (heads % kvHeads !== 0)
    throw blank.error("num_key_value_heads", kvHeads, `a divisor of num_attention_heads ${heads}`);
  const headDim = blank.int("head_dim", width / heads, 1);
  const speechRows = tensors.size("speech_embedding.weight", 0);
  const mix = yaml.at("llm.mix_ratio") === undefined ? [5, 15] : yaml.ints("llm.mix_ratio");
  if (blank.at("use_sliding_window") === true)
    throw blank.error("use_sliding_window", true, "false: sliding windows are not built");
  if (blank.at("rope_scaling") !== undefined)
    throw blank.error("rope_scaling", blank.at("rope_scaling"), "null: no scaled RoPE is built");
  return {
    layers: tensors.count((i) => `${LAYER(i)}.input_layernorm.weight`),
    width,
    heads,
    kvHeads,
    headDim,
    ffn: tensors.size(`${LAYER(0)}.mlp.gate_proj.weight`, 0),
    textRows: tensors.size("llm.model.model.embed_tokens.weight", 0),
    speechCodes: yaml.int("llm.speech_token_size", speechRows - 3, 1),
    speechRows,
    ropeTheta: blank.number(blank.at("rope_theta") === undefined ? "rope_parameters.rope_theta" : "rope_theta", 10000),
    normEps: blank.number("rms_norm_eps", 1e-6),
    maxPositions: blank.int("max_position_embeddings", 32768, 1),
    sampling: {
      topP: yaml.number("llm.sampling.top_p", 0.8),
      topK: yaml.int("llm.sampling.top_k", 25, 1),
      window: yaml.int("llm.sampling.win_size", 10),
      tauR: yaml.number("llm.sampling.tau_r", 0.1),
    },
    mixRatio: [mix[0] ?? 5, mix[1] ?? 15],
    // Parameters of Qwen2LM.inference (cosyvoice/llm/llm.py) and their defaults; a model with another vocabulary brings its own.
    minRatio: yaml.number("llm.min_token_text_ratio", 2),
    maxRatio: yaml.number("llm.max_token_text_ratio", 20),
  };
}

function flowConfig(tensors: Shapes, yaml: Lookup): FlowConfig {
  const layer = "encoder.encoders.0";
  if (!tensors.has("encoder.up_embed.out.0.weight")) {
    throw new FileError(
      `${tensors.name}: no up-sampling encoder in it; this is not the flow of CosyVoice2 (CosyVoice1 and 3 are not supported)`,
    );
  }
  return {
    codes: tensors.size("input_embedding.weight", 0),
    inputWidth: tensors.size("input_embedding.weight", 1),
    width: tensors.size("encoder.embed.out.0.weight", 0),
    heads: tensors.size(`${layer}.self_attn.pos_bias_u`, 0),
    ffn: tensors.size(`${layer}.feed_forward.w_1.weight`, 0),
    blocks: tensors.count((i) => `encoder.encoders.${i}.norm_mha.weight`),
    upBlocks: tensors.count((i) => `encoder.up_encoders.${i}.norm_mha.weight`),
    lookahead: tensors.size("encoder.pre_lookahead_layer.conv1.weight", 2) - 1,
    chunk: yaml.int("flow.encoder.static_chunk_size", 25, 1),
    speakerWidth: tensors.size("spk_embed_affine_layer.weight", 1),
    melBins: tensors.size("encoder_proj.weight", 0),
    solver: {
      // n_timesteps of flow.inference and the length of rand_noise, 300 s (cosyvoice/flow/flow.py, flow_matching.py).
      steps: 10,
      guidance: yaml.number("flow.decoder.cfm_params.content.inference_cfg_rate", 0.7),
      noiseFrames: 50 * 300,
    },
    estimator: estimatorConfig(tensors, yaml),
  };
}

function estimatorConfig(tensors: Shapes, yaml: Lookup): EstimatorConfig {
  const at = "flow.decoder.estimator";
  const prefix = "decoder.estimator";
  const block = `${prefix}.down_blocks.0.1`;
  const channels = yaml.at(`${at}.channels`);
  if (Array.isArray(channels) && channels.length !== 1)
    throw yaml.error(`${at}.channels`, channels, "one level, as CosyVoice2 has");
  const inner = tensors.size(`${block}.0.attn1.to_q.weight`, 0);
  const headDim = yaml.int(`${at}.attention_head_dim`, 64, 1);
  if (inner % headDim !== 0)
    throw yaml.error(`${at}.attention_head_dim`, headDim, `a divisor of the width of its attention, ${inner}`);
  return {
    inChannels: tensors.size(`${prefix}.down_blocks.0.0.block1.block.0.weight`, 1),
    channels: tensors.size(`${prefix}.down_blocks.0.0.block1.block.0.weight`, 0),
    heads: yaml.int(`${at}.num_heads`, inner / headDim, 1),
    headDim,
    blocks: tensors.count((i) => `${block}.${i}.norm1.weight`),
    midBlocks: tensors.count((i) => `${prefix}.mid_blocks.${i}.0.res_conv.weight`),
    ffn: tensors.size(`${block}.0.ff.net.0.proj.weight`, 0),
    timeSinusoids: tensors.size(`${prefix}.time_mlp.linear_1.weight`, 1),
    timeWidth: tensors.size(`${prefix}.time_mlp.linear_1.weight`, 0),
    chunk: yaml.int(`${at}.static_chunk_size`, 50, 1),
  };
}

function vocoderConfig(tensors: Shapes, yaml: Lookup): VocoderConfig {
  const upRates = yaml.ints("hift.upsample_rates");
  const config = {
    melBins: tensors.size("conv_pre.weight", 1),
    base: tensors.size("conv_pre.weight", 0),
    overtones: tensors.size("m_source.l_linear.weight", 1) - 1,
    sineAmp: yaml.number("hift.nsf_alpha", 0.1),
    noiseStd: yaml.number("hift.nsf_sigma", 0.003),
    voicedThreshold: yaml.number("hift.nsf_voiced_threshold", 10),
    upRates,
    upKernels: yaml.ints("hift.upsample_kernel_sizes"),
    nFft: yaml.int("hift.istft_params.n_fft", 16, 2),
    hop: yaml.int("hift.istft_params.hop_len", 4, 1),
    resKernels: yaml.ints("hift.resblock_kernel_sizes"),
    resDilations: yaml.intLists("hift.resblock_dilation_sizes"),
    sourceResKernels: yaml.ints("hift.source_resblock_kernel_sizes"),
    sourceResDilations: yaml.intLists("hift.source_resblock_dilation_sizes"),
    leakySlope: yaml.number("hift.lrelu_slope", 0.1),
    audioLimit: yaml.number("hift.audio_limit", 0.99),
    f0Width: tensors.size("f0_predictor.condnet.0.weight", 0),
    // Convolutions at even places, ELU between them.
    f0Layers: tensors.count((i) => `f0_predictor.condnet.${2 * i}.weight`),
  };
  const perStage = [config.upKernels, config.sourceResKernels, config.sourceResDilations];
  if (
    perStage.some((list) => list.length !== upRates.length) ||
    config.resDilations.length !== config.resKernels.length
  ) {
    throw yaml.error(
      "hift",
      "lists of different lengths",
      "one kernel (and list of dilations) for each up-sampling rate and residual kernel",
    );
  }
  return config;
}

/** Every head of S3Tokenizer v2 is 64 wide. */
const TOKENIZER_HEAD = 64;

function speechTokenizerConfig(tensors: Shapes, onnx: OnnxTensors): SpeechTokenizerConfig {
  const width = tensors.size("encoder.conv1.weight", 0);
  if (width % TOKENIZER_HEAD)
    throw new FileError(`${tensors.name}: width ${width} is not a multiple of ${TOKENIZER_HEAD}`);
  return {
    melBins: tensors.size("encoder.conv1.weight", 1),
    width,
    heads: width / TOKENIZER_HEAD,
    ffn: tensors.size("encoder.blocks.0.mlp.0.weight", 0),
    layers: tensors.count((i) => `encoder.blocks.${i}.attn_ln.weight`),
    fsqDims: tensors.size("quantizer._codebook.project_down.weight", 0),
    fsmnKernel: tensors.size("encoder.blocks.0.attn.fsmn_block.weight", 2),
    // The file holds the f32 nearest to 1e-6 and 1e-5.
    attnNormEps: shortest(onnx.attributes.get("encoder.blocks.0.attn_ln") ?? 1e-6),
    mlpNormEps: shortest(onnx.attributes.get("encoder.blocks.0.mlp_ln") ?? 1e-5),
  };
}

/** The decimal number of at most 6 digits that a float stands for. */
function shortest(float: number): number {
  return Number(float.toPrecision(6));
}

function speakerConfig(tensors: Shapes, onnx: OnnxTensors): SpeakerConfig {
  const layer = (block: number, index: number) => `xvector.block${block + 1}.tdnnd${index + 1}`;
  const blocks = tensors.count((b) => `${layer(b, 0)}.linear1.weight`);
  const headChannels = tensors.size("head.conv1.weight", 0);
  const first = `${layer(0, 0)}.cam_layer.linear_local`;
  return {
    melBins: (tensors.size("xvector.tdnn.linear.weight", 1) / headChannels) * 8,
    headChannels,
    tdnnChannels: tensors.size("xvector.tdnn.linear.weight", 0),
    blocks: Array.from({ length: blocks }, (_, b) => tensors.count((l) => `${layer(b, l)}.linear1.weight`)),
    dilations: Array.from(
      { length: blocks },
      (_, b) => onnx.attributes.get(`${layer(b, 0)}.cam_layer.linear_local`) ?? 1,
    ),
    growth: tensors.size(`${first}.weight`, 0),
    bottleneck: tensors.size(`${first}.weight`, 1),
    embedding: tensors.size("xvector.dense.linear.weight", 0),
  };
}

function melConfig(yaml: Lookup): MelConfig {
  const fMax = yaml.at("feat_extractor.fmax");
  return {
    nFft: yaml.int("feat_extractor.n_fft", 1920, 2),
    hop: yaml.int("feat_extractor.hop_size", 480, 1),
    win: yaml.int("feat_extractor.win_size", 1920, 1),
    bins: yaml.int("feat_extractor.num_mels", 80, 1),
    fMin: yaml.number("feat_extractor.fmin", 0),
    fMax: fMax === undefined ? null : yaml.number("feat_extractor.fmax"),
  };
}
