/**
 * The network of the speech tokenizer (S3Tokenizer v2): two strided convolutions bring a log-mel spectrogram to token rate, blocks of
 * attention with a memory follow, and a projection gives the few numbers per token that are quantised.
 *
 *   x = x + Attention(LN(x)) + Memory(V)        x = x + W2 · GELU(W1 · LN(x))
 *
 * Attention is over everything, with rotary positions; the memory is a depthwise convolution over the attention's values.
 */
import type { SpeechTokenizerConfig } from "../config.js";
import type { Graph } from "../gpu/graph.js";
import type { Tensor } from "../gpu/tensor.js";
import { type Affine, type Convolution, loadAffine, loadConvolution, loadNorm } from "../ops/affine.js";
import { chunkAttention } from "../ops/chunkAttention.js";
import { conv1d } from "../ops/conv.js";
import { layerNorm, type Norm } from "../ops/layerNorm.js";
import { linear } from "../ops/linear.js";
import { fsmn, rotary } from "../ops/speechTokenizer.js";
import type { Weights } from "../ops/weights.js";

/** Of each convolution: two of them make one token of four mel frames. */
const STRIDE = 2;

interface Block {
  readonly attentionNorm: Norm;
  /** width -> 3 · width; the key has no bias, so zeros stand for it. */
  readonly qkv: Affine;
  readonly memory: Tensor; // [fsmnKernel, width]
  readonly out: Affine;
  readonly mlpNorm: Norm;
  readonly up: Affine; // width -> ffn
  readonly down: Affine; // ffn -> width
}

export interface SpeechEncoder {
  readonly conv1: Convolution;
  readonly conv2: Convolution;
  readonly blocks: readonly Block[];
  /** width -> fsqDims */
  readonly project: Affine;
}

export async function loadSpeechEncoder(weights: Weights, config: SpeechTokenizerConfig): Promise<SpeechEncoder> {
  const blocks: Block[] = [];
  for (let i = 0; i < config.layers; i++) blocks.push(await loadBlock(weights, `encoder.blocks.${i}`, config));
  return {
    conv1: await loadConvolution(weights, "encoder.conv1"),
    conv2: await loadConvolution(weights, "encoder.conv2"),
    blocks,
    project: await loadAffine(weights, "quantizer._codebook.project_down"),
  };
}

async function loadBlock(weights: Weights, name: string, config: SpeechTokenizerConfig): Promise<Block> {
  const { width, fsmnKernel: taps } = config;
  const attention = `${name}.attn`;
  const bias = new Float32Array(3 * width);
  bias.set(await weights.values(`${attention}.query.bias`));
  bias.set(await weights.values(`${attention}.value.bias`), 2 * width);
  const kernel = await weights.values(`${attention}.fsmn_block.weight`); // [width, 1, taps]
  const memory = kernel.map((_, i) => kernel[(i % width) * taps + Math.floor(i / width)] as number);
  return {
    attentionNorm: await loadNorm(weights, `${name}.attn_ln`),
    qkv: {
      weight: await weights.matrix(...["query", "key", "value"].map((part) => `${attention}.${part}.weight`)),
      bias: weights.constant(`${attention} biases`, [3 * width], bias),
    },
    memory: weights.constant(`${attention} memory`, [taps, width], memory),
    out: await loadAffine(weights, `${attention}.out`),
    mlpNorm: await loadNorm(weights, `${name}.mlp_ln`),
    up: await loadAffine(weights, `${name}.mlp.0`),
    down: await loadAffine(weights, `${name}.mlp.2`),
  };
}

/** Tokens that a number of mel frames makes. */
export function tokensOf(frames: number): number {
  return Math.ceil(Math.ceil(frames / STRIDE) / STRIDE);
}

/**
 * @param mel [F, melBins]
 * @param positions rotary table [S, headDim / 2, 2], see `rotaryTable`
 * @returns what is quantised, before the tanh: [S, fsqDims]
 */
export function speechEncoder(
  g: Graph,
  mel: Tensor,
  net: SpeechEncoder,
  config: SpeechTokenizerConfig,
  positions: Tensor,
): Tensor {
  const down = (x: Tensor, { weight, bias }: Convolution): Tensor =>
    conv1d(g, x, weight, { bias, activation: "gelu", stride: STRIDE, padLeft: Math.floor((weight.taps - 1) / 2) });
  let x = down(down(mel, net.conv1), net.conv2); // [S, width]
  for (const block of net.blocks) x = attentionBlock(g, x, block, config, positions);
  return linear(g, x, net.project.weight, { label: "hidden", bias: net.project.bias });
}

function attentionBlock(
  g: Graph,
  x: Tensor,
  block: Block,
  { heads, width, attnNormEps, mlpNormEps }: SpeechTokenizerConfig,
  positions: Tensor,
): Tensor {
  const qkv = linear(g, layerNorm(g, x, block.attentionNorm, { eps: attnNormEps }), block.qkv.weight, {
    label: "qkv",
    bias: block.qkv.bias,
  });
  rotary(g, qkv, positions, heads);
  const memory = fsmn(g, qkv, block.memory, x); // the residual in it
  const attention = chunkAttention(g, qkv, { heads, headDim: width / heads, chunk: undefined });
  const attended = linear(g, attention, block.out.weight, { bias: block.out.bias, residual: memory });
  const hidden = linear(g, layerNorm(g, attended, block.mlpNorm, { eps: mlpNormEps }), block.up.weight, {
    label: "mlp",
    bias: block.up.bias,
    activation: "gelu",
  });
  return linear(g, hidden, block.down.weight, { bias: block.down.bias, residual: attended });
}

/** Cosines and sines of t · 10000^(−2j / headDim): [tokens, headDim / 2, 2]. Angles are rounded to f32 as upstream's are. */
export function rotaryTable(tokens: number, headDim: number): Float32Array {
  const half = headDim / 2;
  const frequencies = Float32Array.from({ length: half }, (_, j) => 1 / Math.fround(10000 ** ((2 * j) / headDim)));
  const table = new Float32Array(tokens * half * 2);
  for (let t = 0; t < tokens; t++) {
    for (let j = 0; j < half; j++) {
      const angle = Math.fround(t * (frequencies[j] as number));
      table[(t * half + j) * 2] = Math.cos(angle);
      table[(t * half + j) * 2 + 1] = Math.sin(angle);
    }
  }
  return table;
}
