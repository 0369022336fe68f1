/** Root-mean-square norm, and the gate of a SwiGLU feed-forward: the row-wise ops of the language model. */
import { rmsNorm as normKernel } from "../../kernels/rmsNorm.js";
import { swiglu as swigluKernel } from "../../kernels/swiglu.js";
import type { Graph } from "../gpu/graph.js";
import { dim, elements, type Tensor } from "../gpu/tensor.js";
import { vecOf } from "./linear.js";

/** [rows, width] → [rows, width]. */
export function rmsNorm(g: Graph, x: Tensor, weight: Tensor, eps: number): Tensor {
  const width = dim(weight, 0);
  const out = g.temp("rmsNorm", x.shape);
  g.add(normKernel, { vec: vecOf(width) }, { rows: elements(x.shape) / width, width, eps }, { x, weight, out });
  return out;
}

/** Gate and up projection side by side [rows, 2·ffn] → silu(gate) · up [rows, ffn]. */
export function swiglu(g: Graph, x: Tensor): Tensor {
  const ffn = dim(x, -1) / 2;
  const rows = elements(x.shape) / (2 * ffn);
  const out = g.temp("swiglu", [rows, ffn]);
  g.add(swigluKernel, { vec: vecOf(ffn) }, { rows, ffn }, { x, out });
  return out;
}
