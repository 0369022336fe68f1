/** Attention of the flow: full, causal or in chunks, with or without relative positions. */

import { maskParams } from "../../kernels/attentionFragments.js";
import { chunkAttention as kernel } from "../../kernels/chunkAttention.js";
import { chunkAttentionDirect } from "../../kernels/chunkAttentionDirect.js";
import type { Graph } from "../gpu/graph.js";
import { dim, elements, type Tensor } from "../gpu/tensor.js";
import { vecOf } from "./linear.js";

export interface ChunkAttentionOptions {
  readonly label?: string;
  readonly heads: number;
  readonly headDim: number;
  /** Frames of a chunk; none is full attention, 1 is causal. */
  readonly chunk: number | undefined;
  /** Projected positions [2T − 1, width], row r for offset T − 1 − r between query and key, and the two biases [width]. */
  readonly relative?: { readonly positions: Tensor; readonly u: Tensor; readonly v: Tensor };
}

/** q, k, v of all heads side by side [T, 3 · width] or [B, T, 3 · width] -> [..., width]. */
export function chunkAttention(g: Graph, qkv: Tensor, options: ChunkAttentionOptions): Tensor {
  const { heads, headDim, chunk, relative } = options;
  const frames = dim(qkv, -2);
  const out = g.temp(options.label ?? "attention", [...qkv.shape.slice(0, -1), heads * headDim]);
  g.add(
    g.capabilities.adapter.software ? chunkAttentionDirect : kernel,
    { relative: relative !== undefined, headDim, vec: vecOf(headDim) },
    {
      batch: elements(qkv.shape.slice(0, -2)),
      ...maskParams(frames, chunk),
      heads,
      offsets: 2 * frames - 1,
      scale: 1 / Math.sqrt(headDim),
    },
    { qkv, out, ...(relative ?? {}) },
  );
  return out;
}
