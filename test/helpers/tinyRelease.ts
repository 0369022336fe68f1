/**
 * An official release of awkward sizes, made in memory: three heads, as many key/value heads, one up-sampling block, 729 codes, a
 * vocoder of two stages. Values are seeded; every file has the layout of the real ones.
 */
import type { Config } from "../../src/config.js";
import { weightTable } from "../../weights/all.js";
import { type MadeNode, type MadeTensor, onnxFile } from "./onnxFile.js";
import { floats, type Saved, torchFile } from "./torchFile.js";

export const TINY: Config = {
  format: "cosyvoice-webgpu-1",
  generation: "cosyvoice2",
  sampleRate: 8000,
  tokenRate: 25,
  tokenMelRatio: 2,
  lm: {
    layers: 2,
    width: 24,
    heads: 3,
    kvHeads: 3,
    headDim: 8,
    ffn: 20,
    textRows: 30,
    speechCodes: 729,
    speechRows: 732,
    ropeTheta: 1e6,
    normEps: 1e-6,
    maxPositions: 512,
    sampling: { topP: 0.8, topK: 25, window: 10, tauR: 0.1 },
    mixRatio: [5, 15],
    minRatio: 2,
    maxRatio: 20,
  },
  flow: {
    codes: 729,
    inputWidth: 18,
    width: 12,
    heads: 3,
    ffn: 10,
    blocks: 2,
    upBlocks: 1,
    lookahead: 3,
    chunk: 25,
    speakerWidth: 7,
    melBins: 5,
    solver: { steps: 10, guidance: 0.7, noiseFrames: 15000 },
    estimator: {
      inChannels: 20,
      channels: 6,
      heads: 3,
      headDim: 4,
      blocks: 1,
      midBlocks: 2,
      ffn: 9,
      timeSinusoids: 20,
      timeWidth: 8,
      chunk: 50,
    },
  },
  vocoder: {
    melBins: 5,
    base: 16,
    overtones: 8,
    sineAmp: 0.1,
    noiseStd: 0.003,
    voicedThreshold: 10,
    upRates: [8, 5],
    upKernels: [16, 11],
    nFft: 16,
    hop: 4,
    resKernels: [3, 7],
    resDilations: [[1, 3], [1]],
    sourceResKernels: [7, 11],
    sourceResDilations: [
      [1, 3],
      [1, 3],
    ],
    leakySlope: 0.1,
    audioLimit: 0.99,
    f0Width: 6,
    f0Layers: 5,
  },
  speechTokenizer: {
    melBins: 8,
    width: 64,
    heads: 1,
    ffn: 11,
    layers: 2,
    fsqDims: 8,
    fsmnKernel: 31,
    attnNormEps: 1e-6,
    mlpNormEps: 1e-5,
  },
  speaker: {
    melBins: 16,
    headChannels: 4,
    tdnnChannels: 8,
    blocks: [2, 1, 1],
    dilations: [1, 2, 2],
    growth: 4,
    bottleneck: 6,
    embedding: 7,
  },
  mel: { nFft: 640, hop: 160, win: 640, bins: 5, fMin: 0, fMax: 4000 },
};

/** Values that depend on the name alone, about -1 .. 1. */
export function valuesOf(name: string, count: number): Float32Array {
  let state = 1;
  for (const letter of name) state = Math.imul(state, 31) + (letter.codePointAt(0) ?? 0);
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.fround((state >> 8) / 2 ** 23);
  });
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, size) => all * size, 1);
}

export interface TinyOptions {
  /** Spelling of the vocoder's weight norm. */
  readonly weightNorm?: "legacy" | "parametrized";
  /** "generator." in front of the vocoder's names. */
  readonly gan?: boolean;
}

/** All files of the release. */
export function tinyRelease(options: TinyOptions = {}): Map<string, Uint8Array | string> {
  const tables = {
    lm: weightTable("lm", TINY),
    flow: weightTable("flow", TINY),
    vocoder: weightTable("vocoder", TINY),
  };
  const embedding = saved(
    "llm.model.model.embed_tokens.weight",
    tables.lm.get("llm.model.model.embed_tokens.weight") ?? [],
  );
  const lm: Record<string, Saved> = {
    ...state(tables.lm),
    "llm.model.model.embed_tokens.weight": embedding,
    "llm.model.lm_head.weight": embedding,
    epoch: 3,
    step: 12345,
  };
  return new Map<string, Uint8Array | string>([
    ["cosyvoice2.yaml", YAML],
    ["llm.pt", torchFile(lm, "llm")],
    ["flow.pt", torchFile(state(tables.flow), "flow")],
    ["hift.pt", torchFile(vocoderState(tables.vocoder, options), "hift")],
    ["speech_tokenizer_v2.onnx", tokenizerOnnx()],
    ["campplus.onnx", speakerOnnx()],
    [
      "spk2info.pt",
      torchFile({
        "a/b": { embedding: saved("voice", [1, 7]) },
        中文女: { embedding: saved("voice2", [1, 7]), llm_prompt_speech_token: ids() },
      }),
    ],
    ["CosyVoice-BlankEN/config.json", JSON.stringify(BLANK)],
    ["CosyVoice-BlankEN/vocab.json", '{"a":0}'],
    ["CosyVoice-BlankEN/merges.txt", "a b\n"],
    ["CosyVoice-BlankEN/tokenizer_config.json", "{}"],
  ]);
}

function saved(name: string, shape: readonly number[]): Saved {
  return { shape, storage: floats(name.replaceAll("/", "_"), valuesOf(name, product(shape))) };
}

function ids(): Saved {
  return {
    shape: [1, 3],
    storage: {
      key: "ids",
      type: "LongStorage",
      count: 3,
      bytes: new Uint8Array(BigInt64Array.of(5n, 0n, 728n).buffer),
    },
  };
}

function state(table: ReadonlyMap<string, readonly number[]>): Record<string, Saved> {
  return Object.fromEntries([...table].map(([name, shape]) => [name, saved(name, shape)]));
}

const WEIGHT_NORMED =
  /^(conv_pre|conv_post|ups\.\d+|(source_)?resblocks\.\d+\.convs[12]\.\d+|f0_predictor\.condnet\.\d+)\.weight$/;

function vocoderState(
  table: ReadonlyMap<string, readonly number[]>,
  { weightNorm = "parametrized", gan = false }: TinyOptions,
): Record<string, Saved> {
  const out: Record<string, Saved> = {};
  const prefix = gan ? "generator." : "";
  for (const [name, shape] of table) {
    if (!WEIGHT_NORMED.test(name)) {
      out[prefix + name] = saved(name, shape);
      continue;
    }
    const base = name.slice(0, -".weight".length);
    const [g, v] =
      weightNorm === "legacy"
        ? ["weight_g", "weight_v"]
        : ["parametrizations.weight.original0", "parametrizations.weight.original1"];
    out[`${prefix}${base}.${g}`] = saved(`${name} g`, [shape[0] ?? 0, ...shape.slice(1).map(() => 1)]);
    out[`${prefix}${base}.${v}`] = saved(`${name} v`, shape);
  }
  if (gan) out["discriminator.mpd.weight"] = saved("discriminator", [3]);
  return out;
}

/** Collects nodes and anonymous initializers. */
class Onnx {
  readonly nodes: MadeNode[] = [];
  readonly tensors: MadeTensor[] = [];

  constant(values: Float32Array, shape: readonly number[]): string {
    const name = `onnx::T_${this.tensors.length}`;
    this.tensors.push({ name, shape, raw: new Uint8Array(values.buffer) });
    return name;
  }

  /** The tensor of a table; a matrix is stored transposed when `matmul`. */
  of(table: ReadonlyMap<string, readonly number[]>, name: string, matmul = false): string {
    const shape = table.get(name) ?? [];
    const values = valuesOf(name, product(shape));
    if (!matmul) return this.constant(values, shape);
    const [rows = 0, columns = 0] = shape;
    const flipped = Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? 0);
    return this.constant(flipped, [columns, rows]);
  }
}

function tokenizerOnnx(): Uint8Array {
  const table = weightTable("speechTokenizer", TINY);
  const onnx = new Onnx();
  const { nodes } = onnx;
  const linear = (scope: string, name: string, bias = true) => {
    nodes.push({ op: "MatMul", name: `${scope}/MatMul`, inputs: ["x", onnx.of(table, `${name}.weight`, true)] });
    if (bias) nodes.push({ op: "Add", name: `${scope}/Add`, inputs: [onnx.of(table, `${name}.bias`), "y"] });
  };
  const conv = (scope: string, name: string) =>
    nodes.push({
      op: "Conv",
      name: `${scope}/Conv`,
      inputs: ["x", onnx.of(table, `${name}.weight`), onnx.of(table, `${name}.bias`)],
    });
  conv("/conv1", "encoder.conv1");
  conv("/conv2", "encoder.conv2");
  for (let i = 0; i < 2; i++) {
    const block = `encoder.blocks.${i}`;
    nodes.push({
      op: "LayerNormalization",
      name: `/blocks.${i}/attn_ln/LayerNormalization`,
      inputs: ["x", onnx.of(table, `${block}.attn_ln.weight`), onnx.of(table, `${block}.attn_ln.bias`)],
      floats: { epsilon: 1e-6 },
    });
    linear(`/blocks.${i}/attn/query`, `${block}.attn.query`);
    linear(`/blocks.${i}/attn/key`, `${block}.attn.key`, false);
    linear(`/blocks.${i}/attn/value`, `${block}.attn.value`);
    nodes.push({
      op: "Conv",
      name: `/blocks.${i}/attn/fsmn_block/Conv`,
      inputs: ["x", onnx.of(table, `${block}.attn.fsmn_block.weight`)],
    });
    linear(`/blocks.${i}/attn/out`, `${block}.attn.out`);
    // The second norm in pieces, its gain behind an Identity and its epsilon and bias as Constant nodes.
    const norm = `/blocks.${i}/mlp_ln`;
    const constant = (name: string, shape: readonly number[], values: Float32Array) =>
      nodes.push({ op: "Constant", name, inputs: [], value: { name: "", shape, floats: values } });
    constant(`${norm}/Constant`, [], Float32Array.of(1e-5));
    constant(`${norm}/Constant_1`, [64], valuesOf(`${block}.mlp_ln.bias`, 64));
    nodes.push({ op: "Identity", name: `${norm}/Identity`, inputs: [onnx.of(table, `${block}.mlp_ln.weight`)] });
    nodes.push({ op: "Add", name: `${norm}/Add`, inputs: ["x", `${norm}/Constant_output_0`] });
    nodes.push({ op: "Mul", name: `${norm}/Mul`, inputs: ["x", `${norm}/Identity_output_0`] });
    nodes.push({ op: "Add", name: `${norm}/Add_1`, inputs: ["x", `${norm}/Constant_1_output_0`] });
    linear(`/blocks.${i}/mlp/mlp.0`, `${block}.mlp.0`);
    linear(`/blocks.${i}/mlp/mlp.2`, `${block}.mlp.2`);
  }
  linear("/quantizer/project_in", "quantizer._codebook.project_down");
  return onnxFile(nodes, onnx.tensors);
}

function speakerOnnx(): Uint8Array {
  const table = weightTable("speaker", TINY);
  const onnx = new Onnx();
  const scopes = new Set([...table.keys()].map((name) => name.slice(0, name.lastIndexOf("."))));
  for (const scope of scopes) {
    // "head.layer1.0.conv1" is exported under /head/layer1/layer1.0/conv1.
    const path = `/${scope.replace(/(layer\d|shortcut)\.(\d)/g, "$1/$1.$2").replace(/\.(?!\d)/g, "/")}`;
    if (scope.endsWith("batchnorm")) {
      const inputs = ["weight", "bias", "running_mean", "running_var"].map((part) =>
        table.has(`${scope}.${part}`) ? onnx.of(table, `${scope}.${part}`) : onnx.constant(valuesOf(part, 7), [7]),
      );
      onnx.nodes.push({ op: "BatchNormalization", name: `${path}/BatchNormalization`, inputs: ["x", ...inputs] });
    } else {
      const bias = table.has(`${scope}.bias`) ? [onnx.of(table, `${scope}.bias`)] : [];
      const dilations = /block[23].*linear_local/.test(scope) ? [2] : [1];
      onnx.nodes.push({
        op: "Conv",
        name: `${path}/Conv`,
        inputs: ["x", onnx.of(table, `${scope}.weight`), ...bias],
        ints: { dilations },
      });
    }
  }
  return onnxFile(onnx.nodes, onnx.tensors);
}

const BLANK = {
  model_type: "qwen2",
  hidden_size: 24,
  num_attention_heads: 3,
  num_key_value_heads: 3,
  num_hidden_layers: 2,
  intermediate_size: 20,
  rms_norm_eps: 1e-6,
  rope_theta: 1000000.0,
  max_position_embeddings: 512,
  use_sliding_window: false,
  vocab_size: 30,
};

const YAML = `
__set_seed1: !apply:random.seed [1986]
sample_rate: 8000
token_frame_rate: 25
token_mel_ratio: 2
chunk_size: 25
llm: !new:cosyvoice.llm.llm.Qwen2LM
    speech_token_size: 729
    mix_ratio: [5, 15]
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1
flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithXvec
    encoder: !new:cosyvoice.transformer.upsample_encoder.UpsampleConformerEncoder
        static_chunk_size: !ref <chunk_size>
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM
        cfm_params: !new:omegaconf.DictConfig
            content:
                inference_cfg_rate: 0.7
        estimator: !new:cosyvoice.flow.decoder.CausalConditionalDecoder
            channels: [6]
            attention_head_dim: 4
            num_heads: 3
            static_chunk_size: !ref <chunk_size> * <token_mel_ratio>
hift: !new:cosyvoice.hifigan.generator.HiFTGenerator
    upsample_rates: [8, 5]
    upsample_kernel_sizes: [16, 11]
    istft_params:
        n_fft: 16
        hop_len: 4
    resblock_kernel_sizes: [3, 7]
    resblock_dilation_sizes: [[1, 3], [1]]
    source_resblock_kernel_sizes: [7, 11]
    source_resblock_dilation_sizes: [[1, 3], [1, 3]]
feat_extractor: !name:matcha.utils.audio.mel_spectrogram
    n_fft: 640
    hop_size: 160
    win_size: 640
    num_mels: 5
    fmax: 4000
`;
