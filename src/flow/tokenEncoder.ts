/**
 * Speech tokens to the mean of the flow (upstream `UpsampleConformerEncoder` and `encoder_proj`): embedding, look-ahead, conformer
 * layers at token rate, nearest-neighbour up-sampling, conformer layers at frame rate, projection to mel bins.
 */
import type { FlowConfig } from "../config.js";
import type { Graph } from "../gpu/graph.js";
import { dim, type Tensor } from "../gpu/tensor.js";
import { type Affine, type Convolution, loadAffine, loadConvolution, loadNorm } from "../ops/affine.js";
import { conv1d } from "../ops/conv.js";
import { embed } from "../ops/embed.js";
import { layerNorm, type Norm } from "../ops/layerNorm.js";
import { linear } from "../ops/linear.js";
import type { Table, Weights } from "../ops/weights.js";
import { type ConformerLayer, conformerLayer, loadConformerLayer } from "./conformerLayer.js";

/** Norms of the two embeds and the last one. */
const EPS = 1e-5;

/** Linear, norm, and a factor √width: what stands in front of either stack of layers. */
interface Embed {
  readonly linear: Affine;
  readonly norm: Norm;
}

export interface TokenEncoder {
  readonly table: Table;
  readonly embed: Embed;
  readonly lookahead: Convolution;
  readonly smooth: Convolution;
  readonly layers: readonly ConformerLayer[];
  readonly up: Convolution;
  readonly upEmbed: Embed;
  readonly upLayers: readonly ConformerLayer[];
  readonly lastNorm: Norm;
  readonly project: Affine;
}

async function loadEmbed(weights: Weights, name: string): Promise<Embed> {
  return { linear: await loadAffine(weights, `${name}.out.0`), norm: await loadNorm(weights, `${name}.out.1`) };
}

async function loadLayers(weights: Weights, name: string, count: number): Promise<ConformerLayer[]> {
  const layers: ConformerLayer[] = [];
  for (let i = 0; i < count; i++) layers.push(await loadConformerLayer(weights, `${name}.${i}`));
  return layers;
}

export async function loadTokenEncoder(weights: Weights, config: FlowConfig): Promise<TokenEncoder> {
  return {
    table: await weights.table("input_embedding.weight"),
    embed: await loadEmbed(weights, "encoder.embed"),
    lookahead: await loadConvolution(weights, "encoder.pre_lookahead_layer.conv1"),
    smooth: await loadConvolution(weights, "encoder.pre_lookahead_layer.conv2"),
    layers: await loadLayers(weights, "encoder.encoders", config.blocks),
    up: await loadConvolution(weights, "encoder.up_layer.conv"),
    upEmbed: await loadEmbed(weights, "encoder.up_embed"),
    upLayers: await loadLayers(weights, "encoder.up_encoders", config.upBlocks),
    lastNorm: await loadNorm(weights, "encoder.after_norm"),
    project: await loadAffine(weights, "encoder_proj"),
  };
}

export interface TokenEncoderInput {
  /** [N] i32: prompt, then new tokens. */
  readonly ids: Tensor;
  /** T ≤ N: the tokens that become frames; those after them are only looked at. */
  readonly tokens: number;
  /** Mel frames per token. */
  readonly ratio: number;
  /** Relative positions [2T − 1, width] and [2 · ratio · T − 1, width]. */
  readonly positions: Tensor;
  readonly upPositions: Tensor;
  /** Tokens of an attention chunk; none is full attention. */
  readonly chunk: number | undefined;
}

/** -> mu [ratio · T, melBins] */
export function tokenEncoder(g: Graph, encoder: TokenEncoder, config: FlowConfig, input: TokenEncoderInput): Tensor {
  const x = tokenStates(g, encoder, config, input);
  return linear(g, x, encoder.project.weight, { label: "mu", bias: encoder.project.bias });
}

/** What upstream's encoder returns: [ratio · T, width]. */
export function tokenStates(g: Graph, encoder: TokenEncoder, config: FlowConfig, input: TokenEncoderInput): Tensor {
  const { ids, tokens, ratio, chunk } = input;
  const count = dim(ids, 0);
  const embedding = g.temp("embedding", [count, config.inputWidth]);
  embed(g, encoder.table, ids, embedding, { firstId: 0, count, outRow: 0 });
  let x = look(g, embedLinear(g, embedding, encoder.embed), encoder, tokens); // [T, width]
  for (const layer of encoder.layers) x = conformerLayer(g, x, layer, config, input.positions, chunk);

  x = conv1d(g, x, encoder.up.weight, { label: "up", bias: encoder.up.bias, upsample: ratio }); // [ratio · T, width]
  x = embedLinear(g, x, encoder.upEmbed);
  const upChunk = chunk === undefined ? undefined : chunk * ratio;
  for (const layer of encoder.upLayers) x = conformerLayer(g, x, layer, config, input.upPositions, upChunk);
  return layerNorm(g, x, encoder.lastNorm, { eps: EPS });
}

function embedLinear(g: Graph, x: Tensor, { linear: affine, norm }: Embed): Tensor {
  const y = linear(g, x, affine.weight, { label: "embed", bias: affine.bias });
  return layerNorm(g, y, norm, { eps: EPS, scale: Math.sqrt(affine.weight.cols) });
}

/** Every token sees the ones after it, as far as the first convolution reaches, and zeros past the last. [N, width] -> [T, width] */
function look(g: Graph, x: Tensor, { lookahead, smooth }: TokenEncoder, tokens: number): Tensor {
  const ahead = conv1d(g, x, lookahead.weight, {
    label: "lookahead",
    bias: lookahead.bias,
    activation: "leakyRelu",
    padLeft: 0,
    frames: tokens,
  });
  return conv1d(g, ahead, smooth.weight, { bias: smooth.bias, residual: firstRows(g, x, tokens) });
}

function firstRows(g: Graph, x: Tensor, rows: number): Tensor {
  if (dim(x, 0) === rows) return x;
  const out = g.temp("rows", [rows, dim(x, 1)]);
  g.copy(x, 0, out, 0, rows * dim(x, 1) * 4);
  return out;
}
