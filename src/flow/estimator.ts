/**
 * The velocity field of the flow (upstream `CausalConditionalDecoder`, from Matcha-TTS): a U-Net of one level. Every stage is a
 * causal resnet and a row of transformer blocks; the way down keeps a skip connection for the way up. Attention sees the whole
 * sequence, or its own chunk and all before it.
 */
import type { EstimatorConfig } from "../config.js";
import type { Graph } from "../gpu/graph.js";
import type { Tensor } from "../gpu/tensor.js";
import { type Affine, type Convolution, loadAffine, loadConvolution, loadNorm } from "../ops/affine.js";
import { chunkAttention } from "../ops/chunkAttention.js";
import { conv1d } from "../ops/conv.js";
import { concat } from "../ops/flow.js";
import { layerNorm, type Norm } from "../ops/layerNorm.js";
import { linear } from "../ops/linear.js";
import type { Matrix, Weights } from "../ops/weights.js";

const EPS = 1e-5;
const ROOT = "decoder.estimator";

/** Causal convolution, norm over channels, Mish. */
interface Block {
  readonly conv: Convolution;
  readonly norm: Norm;
}

interface Resnet {
  readonly block1: Block;
  readonly block2: Block;
  /** A convolution of one tap. */
  readonly residual: Affine;
  /** First column of its time projection in the time table. */
  readonly timeOffset: number;
}

interface Transformer {
  readonly attentionNorm: Norm;
  /** q, k, v: channels -> 3 · heads · headDim, without bias. */
  readonly qkv: Matrix;
  readonly out: Affine;
  readonly feedForwardNorm: Norm;
  readonly up: Affine;
  readonly down: Affine;
}

interface Stage {
  readonly resnet: Resnet;
  readonly transformers: readonly Transformer[];
}

export interface Estimator {
  readonly down: Stage;
  readonly downConv: Convolution;
  readonly mid: readonly Stage[];
  readonly up: Stage;
  readonly upConv: Convolution;
  readonly last: Block;
  readonly project: Affine;
}

function stageNames({ midBlocks }: EstimatorConfig): readonly string[] {
  const mid = Array.from({ length: midBlocks }, (_, i) => `${ROOT}.mid_blocks.${i}`);
  return [`${ROOT}.down_blocks.0`, ...mid, `${ROOT}.up_blocks.0`];
}

/** Names of the resnets, in the order of their columns in the time table. */
export function resnetNames(config: EstimatorConfig): readonly string[] {
  return stageNames(config).map((name) => `${name}.0`);
}

async function loadBlock(weights: Weights, name: string): Promise<Block> {
  return { conv: await loadConvolution(weights, `${name}.block.0`), norm: await loadNorm(weights, `${name}.block.2`) };
}

async function loadTransformer(weights: Weights, name: string): Promise<Transformer> {
  const parts = ["q", "k", "v"].map((part) => `${name}.attn1.to_${part}.weight`);
  return {
    attentionNorm: await loadNorm(weights, `${name}.norm1`),
    qkv: await weights.matrix(...parts),
    out: await loadAffine(weights, `${name}.attn1.to_out.0`),
    feedForwardNorm: await loadNorm(weights, `${name}.norm3`),
    up: await loadAffine(weights, `${name}.ff.net.0.proj`),
    down: await loadAffine(weights, `${name}.ff.net.2`),
  };
}

async function loadStage(weights: Weights, config: EstimatorConfig, name: string, index: number): Promise<Stage> {
  const transformers: Transformer[] = [];
  for (let i = 0; i < config.blocks; i++) transformers.push(await loadTransformer(weights, `${name}.1.${i}`));
  const resnet = {
    block1: await loadBlock(weights, `${name}.0.block1`),
    block2: await loadBlock(weights, `${name}.0.block2`),
    residual: await loadAffine(weights, `${name}.0.res_conv`),
    timeOffset: index * config.channels,
  };
  return { resnet, transformers };
}

export async function loadEstimator(weights: Weights, config: EstimatorConfig): Promise<Estimator> {
  const stages: Stage[] = [];
  for (const [index, name] of stageNames(config).entries()) {
    stages.push(await loadStage(weights, config, name, index));
  }
  const [down, up] = [stages.shift(), stages.pop()] as [Stage, Stage];
  return {
    down,
    downConv: await loadConvolution(weights, `${ROOT}.down_blocks.0.2`),
    mid: stages,
    up,
    upConv: await loadConvolution(weights, `${ROOT}.up_blocks.0.2`),
    last: await loadBlock(weights, `${ROOT}.final_block`),
    project: await loadAffine(weights, `${ROOT}.final_proj`),
  };
}

/** The step being computed [1], and what every resnet adds at every step [steps, resnets · channels]. */
export interface Time {
  readonly state: Tensor;
  readonly table: Tensor;
}

/** Input [B, M, inChannels] -> velocity [B, M, melBins]. @param chunk frames of an attention chunk; none is full attention */
export function estimator(
  g: Graph,
  input: Tensor,
  net: Estimator,
  config: EstimatorConfig,
  { time, chunk }: { readonly time: Time; readonly chunk: number | undefined },
): Tensor {
  const through = (x: Tensor, { resnet: first, transformers }: Stage): Tensor =>
    transformers.reduce((y, block) => transformer(g, y, block, config, chunk), resnet(g, x, first, time));
  const skip = through(input, net.down); // [B, M, channels]
  let x = conv1d(g, skip, net.downConv.weight, { bias: net.downConv.bias });
  for (const stage of net.mid) x = through(x, stage);
  x = through(concat(g, x, skip), net.up);
  x = conv1d(g, x, net.upConv.weight, { bias: net.upConv.bias });
  x = causalBlock(g, x, net.last);
  return linear(g, x, net.project.weight, { label: "velocity", bias: net.project.bias });
}

function causalBlock(g: Graph, x: Tensor, { conv, norm }: Block, shift?: Time & { readonly offset: number }): Tensor {
  const y = conv1d(g, x, conv.weight, { bias: conv.bias });
  return layerNorm(g, y, norm, { eps: EPS, activation: "mish", ...(shift ? { shift } : {}) });
}

/** Two blocks, with the time added between them, and a linear path around both. [B, M, in] -> [B, M, channels] */
function resnet(g: Graph, x: Tensor, { block1, block2, residual, timeOffset }: Resnet, time: Time): Tensor {
  const y = causalBlock(g, causalBlock(g, x, block1, { ...time, offset: timeOffset }), block2);
  return linear(g, x, residual.weight, { label: "resnet", bias: residual.bias, residual: y });
}

/** [B, M, channels] -> the same */
function transformer(
  g: Graph,
  x: Tensor,
  block: Transformer,
  { heads, headDim }: EstimatorConfig,
  chunk: number | undefined,
): Tensor {
  const qkv = linear(g, layerNorm(g, x, block.attentionNorm, { eps: EPS }), block.qkv, { label: "qkv" });
  const attention = chunkAttention(g, qkv, { heads, headDim, chunk });
  const attended = linear(g, attention, block.out.weight, { bias: block.out.bias, residual: x });
  const hidden = linear(g, layerNorm(g, attended, block.feedForwardNorm, { eps: EPS }), block.up.weight, {
    label: "hidden",
    bias: block.up.bias,
    activation: "gelu",
  });
  return linear(g, hidden, block.down.weight, { bias: block.down.bias, residual: attended });
}
