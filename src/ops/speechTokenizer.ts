/** Operations of the speech tokenizer: rotary positions, attention's memory, and quantisation. */
import { fsmn as fsmnKernel } from "../../kernels/fsmn.js";
import { fsq as fsqKernel } from "../../kernels/fsq.js";
import { rotary as rotaryKernel } from "../../kernels/rotary.js";
import type { Graph } from "../gpu/graph.js";
import { dim, type Tensor } from "../gpu/tensor.js";
import { vecOf } from "./linear.js";

/** In place: turns queries and keys of qkv [T, 3 · width] by table [T, headDim / 2, (cos, sin)]. */
export function rotary(g: Graph, qkv: Tensor, table: Tensor, heads: number): void {
  g.add(rotaryKernel, {}, { frames: dim(qkv, 0), heads, half: dim(table, 1) }, { qkv, table });
}

/** residual + v + depthwise convolution of v over its surroundings: qkv [T, 3 · width], weight [taps, width] -> [T, width]. */
export function fsmn(g: Graph, qkv: Tensor, weight: Tensor, residual: Tensor): Tensor {
  const [frames, width] = [dim(residual, 0), dim(residual, 1)];
  const taps = dim(weight, 0);
  const out = g.temp("memory", [frames, width]);
  const params = { frames, width, taps, padLeft: Math.floor((taps - 1) / 2) };
  g.add(fsmnKernel, { vec: vecOf(width) }, params, { qkv, weight, residual, out });
  return out;
}

/** hidden [T, dims] -> ids [T] u32, each below 3^dims. */
export function fsq(g: Graph, hidden: Tensor): Tensor {
  const [frames, dims] = [dim(hidden, 0), dim(hidden, 1)];
  const ids = g.temp("ids", [frames], "u32");
  g.add(fsqKernel, {}, { frames, dims }, { hidden, ids });
  return ids;
}
