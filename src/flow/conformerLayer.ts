/**
 * One layer of the token encoder (upstream `ConformerEncoderLayer`, without convolution and macaron parts, pre-norm):
 *
 *   x = x + Attention(LN(x))        x = x + W2 · SiLU(W1 · LN(x))
 */
import type { FlowConfig } from "../config.js";
import type { Graph } from "../gpu/graph.js";
import type { Tensor } from "../gpu/tensor.js";
import { type Affine, loadAffine, loadNorm } from "../ops/affine.js";
import { chunkAttention } from "../ops/chunkAttention.js";
import { layerNorm, type Norm } from "../ops/layerNorm.js";
import { linear } from "../ops/linear.js";
import type { Matrix, Weights } from "../ops/weights.js";

/** Both norms of a layer; the norms around the layers have 1e-5. */
const LAYER_EPS = 1e-12;

export interface ConformerLayer {
  readonly attentionNorm: Norm;
  /** q, k, v: width -> 3 · width */
  readonly qkv: Affine;
  /** Without bias. */
  readonly positions: Matrix;
  readonly u: Tensor; // [width]
  readonly v: Tensor; // [width]
  readonly out: Affine;
  readonly feedForwardNorm: Norm;
  readonly up: Affine; // width -> ffn
  readonly down: Affine; // ffn -> width
}

/** @param name such as `encoder.encoders.0` */
export async function loadConformerLayer(weights: Weights, name: string): Promise<ConformerLayer> {
  const attention = `${name}.self_attn`;
  return {
    attentionNorm: await loadNorm(weights, `${name}.norm_mha`),
    qkv: await loadAffine(weights, `${attention}.linear_q`, `${attention}.linear_k`, `${attention}.linear_v`),
    positions: await weights.matrix(`${attention}.linear_pos.weight`),
    u: await weights.vector(`${attention}.pos_bias_u`),
    v: await weights.vector(`${attention}.pos_bias_v`),
    out: await loadAffine(weights, `${attention}.linear_out`),
    feedForwardNorm: await loadNorm(weights, `${name}.norm_ff`),
    up: await loadAffine(weights, `${name}.feed_forward.w_1`),
    down: await loadAffine(weights, `${name}.feed_forward.w_2`),
  };
}

/**
 * @param x [T, width]
 * @param table relative positions [2T − 1, width]
 * @param chunk frames of an attention chunk; none is full attention
 */
export function conformerLayer(
  g: Graph,
  x: Tensor,
  layer: ConformerLayer,
  { heads, width }: Pick<FlowConfig, "heads" | "width">,
  table: Tensor,
  chunk: number | undefined,
): Tensor {
  const qkv = linear(g, layerNorm(g, x, layer.attentionNorm, { eps: LAYER_EPS }), layer.qkv.weight, {
    label: "qkv",
    bias: layer.qkv.bias,
  });
  const positions = linear(g, table, layer.positions, { label: "positions" });
  const attention = chunkAttention(g, qkv, {
    heads,
    headDim: width / heads,
    chunk,
    relative: { positions, u: layer.u, v: layer.v },
  });
  const attended = linear(g, attention, layer.out.weight, { bias: layer.out.bias, residual: x });
  const hidden = linear(g, layerNorm(g, attended, layer.feedForwardNorm, { eps: LAYER_EPS }), layer.up.weight, {
    label: "hidden",
    bias: layer.up.bias,
    activation: "silu",
  });
  return linear(g, hidden, layer.down.weight, { bias: layer.down.bias, residual: attended });
}
