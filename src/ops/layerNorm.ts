/** Layer norm over channels. */
import type { Activation } from "../../kernels/fragments.js";
import { layerNorm as kernel } from "../../kernels/layerNorm.js";
import type { Graph } from "../gpu/graph.js";
import { dim, elements, type Tensor } from "../gpu/tensor.js";
import { vecOf } from "./linear.js";

/** Learned scale and offset of the norm [width]. */
export interface Norm {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

export interface LayerNormOptions {
  readonly label?: string;
  readonly eps: number;
  readonly activation?: Activation;
  /** Multiplies the result after the activation. */
  readonly scale?: number;
  /** Added last: columns offset .. offset + width of the row of `table` [n, stride] whose number is in `state` [1]. */
  readonly shift?: { readonly table: Tensor; readonly state: Tensor; readonly offset: number };
}

/** x [..., width] -> the same shape; leading dimensions are rows. */
export function layerNorm(g: Graph, x: Tensor, norm: Norm, options: LayerNormOptions): Tensor {
  const width = dim(x, -1);
  const out = g.temp(options.label ?? "layerNorm", x.shape);
  const { eps, activation = "none", scale = 1, shift } = options;
  g.add(
    kernel,
    {
      vec: vecOf(width),
      activation,
      shift: shift !== undefined,
      lanes: g.capabilities.adapter.software ? 1 : 16,
    },
    {
      rows: elements(x.shape) / width,
      width,
      eps,
      scale,
      shiftStride: shift ? dim(shift.table, -1) : 0,
      shiftOffset: shift?.offset ?? 0,
    },
    { x, weight: norm.weight, bias: norm.bias, out, ...(shift ? { shift: shift.table, state: shift.state } : {}) },
  );
  return out;
}
