/** Causal attention over a key/value cache, for the rows of a prompt and for one decoded row. */
import { cachedAttention as attentionKernel } from "../../kernels/cachedAttention.js";
import { ropeCache } from "../../kernels/ropeCache.js";
import type { Graph } from "../gpu/graph.js";
import { elements, type Tensor } from "../gpu/tensor.js";

export interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** The cache of one layer: four buffers and the positions each holds (0 for one not in use). */
export interface LayerCache {
  readonly segments: readonly [Tensor, Tensor, Tensor, Tensor];
  readonly lengths: readonly [number, number, number, number];
}

export interface Positions {
  /** i32 [4]; the first number is the position of the first new row. */
  readonly state: Tensor;
  /** (cos, sin) [positions, headDim / 2, 2]. */
  readonly rope: Tensor;
}

/**
 * qkv [rows, (heads + 2·kvHeads)·headDim], unrotated → [rows, heads·headDim]. Rotates, appends keys and values to the cache and
 * attends to everything up to each row: one dispatch for a single row, two for several.
 */
export function cachedAttention(
  g: Graph,
  qkv: Tensor,
  { heads, kvHeads, headDim }: Heads,
  { segments, lengths }: LayerCache,
  { state, rope }: Positions,
): Tensor {
  const rows = elements(qkv.shape) / ((heads + 2 * kvHeads) * headDim);
  const [cache0, cache1, cache2, cache3] = segments;
  const [length0, length1, length2, length3] = lengths;
  const cache = { cache0, cache1, cache2, cache3 };
  const lengthsOf = { length0, length1, length2, length3 };
  const params = { rows, heads, kvHeads, columns: Math.ceil(headDim / 4), ...lengthsOf };
  const out = g.temp("attention", [rows, heads * headDim]);
  if (rows === 1) {
    g.add(attentionKernel, { fresh: true, headDim }, params, { q: qkv, state, out, ...cache, rope });
    return out;
  }
  const q = g.temp("q", [rows, heads * headDim]);
  g.add(ropeCache, { headDim }, { rows, heads, kvHeads, ...lengthsOf }, { qkv, state, rope, q, ...cache });
  g.add(attentionKernel, { fresh: false, headDim }, params, { q, state, out, ...cache });
  return out;
}
