/** Linear layers: a tiled matmul for many rows, a matvec for one. */
import { conv1dDirect } from "../../kernels/conv1dDirect.js";
import type { Activation, WeightElem } from "../../kernels/fragments.js";
import { matmul } from "../../kernels/matmul.js";
import { matvec } from "../../kernels/matvec.js";
import { matvecDirect } from "../../kernels/matvecDirect.js";
import type { Capabilities } from "../gpu/capabilities.js";
import type { Graph } from "../gpu/graph.js";
import { elements, type Tensor } from "../gpu/tensor.js";
import type { Matrix } from "./weights.js";

/** How a kernel opens a stored weight on this device. */
export function weightElem(tensor: Tensor, { f16 }: Capabilities): WeightElem {
  if (tensor.dtype !== "f16") return "f32";
  return f16 ? "f16" : "f16x2";
}

/** 4 where a width can be read by fours. */
export function vecOf(width: number): 1 | 4 {
  return width % 4 === 0 ? 4 : 1;
}

export interface LinearOptions {
  readonly label?: string;
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** Added after the activation; same shape as the result. */
  readonly residual?: Tensor;
}

/** out[..., cols] = residual + activation(x[..., inner] · weightᵀ + bias). Leading dimensions are rows. */
export function linear(g: Graph, x: Tensor, weight: Matrix, options: LinearOptions = {}): Tensor {
  const { cols, inner, tensor } = weight;
  const rows = elements(x.shape) / inner;
  const out = g.temp(options.label ?? "linear", [...x.shape.slice(0, -1), cols]);
  const { activation = "none", bias, residual } = options;
  const constants = {
    elem: weightElem(tensor, g.capabilities),
    vec: vecOf(inner),
    activation,
    bias: bias !== undefined,
    residual: residual !== undefined,
  };
  const stride4 = Math.ceil(inner / 4);
  const tensors = { x, weight: tensor, out, ...(bias ? { bias } : {}), ...(residual ? { residual } : {}) };
  if (g.capabilities.adapter.software) {
    // A linear layer is a convolution of one tap; the kernel without barriers is two to three times as fast on a CPU.
    const frames = { batch: 1, framesIn: rows, framesOut: rows };
    const params = {
      ...frames,
      channelsIn: inner,
      channelsOut: cols,
      stride4,
      taps: 1,
      stride: 1,
      dilation: 1,
      padLeft: 0,
    };
    g.add(conv1dDirect, { ...constants, upsample: 1 }, params, tensors);
  } else {
    // Large tiles read less but leave a GPU idle when there are few of them.
    const threads = Math.ceil(rows / 64) * Math.ceil(cols / 64) >= 64 ? 16 : 8;
    g.add(matmul, { ...constants, threads }, { rows, inner, cols, stride4 }, tensors);
  }
  return out;
}

export interface VectorLinearOptions {
  readonly label?: string;
  readonly bias?: Tensor;
  /** Root-mean-square norm of x in front. */
  readonly norm?: { readonly weight: Tensor; readonly eps: number };
  readonly residual?: Tensor;
  /** The weight holds gate rows then up rows; the result is silu(gate) · up. */
  readonly swiglu?: boolean;
}

/** The same for one row [inner], with the norm before and the epilogue after it in one dispatch. */
export function linearVector(g: Graph, x: Tensor, weight: Matrix, options: VectorLinearOptions = {}): Tensor {
  const { inner, tensor } = weight;
  const { bias, norm, residual, swiglu = false } = options;
  const cols = swiglu ? weight.cols / 2 : weight.cols;
  const out = g.temp(options.label ?? "linearVector", [cols]);
  const constants = {
    elem: weightElem(tensor, g.capabilities),
    vec: vecOf(inner),
    norm: norm !== undefined,
    bias: bias !== undefined,
    epilogue: swiglu ? "swiglu" : residual ? "residual" : "plain",
  } as const;
  const params = { inner, cols, stride4: Math.ceil(inner / 4), eps: norm?.eps ?? 0 };
  const tensors = {
    x,
    weight: tensor,
    out,
    ...(norm ? { normWeight: norm.weight } : {}),
    ...(bias ? { bias } : {}),
    ...(residual ? { residual } : {}),
  };
  if (g.capabilities.adapter.software) g.add(matvecDirect, constants, params, tensors);
  else g.add(matvec, { ...constants, workgroup: inner >= 512 ? 64 : 32 }, params, tensors);
  return out;
}
