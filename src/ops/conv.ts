/** Convolutions over frames, channel last. */
import { conv1d as kernel } from "../../kernels/conv1d.js";
import { conv1dDirect } from "../../kernels/conv1dDirect.js";
import type { Activation } from "../../kernels/fragments.js";
import { InternalError } from "../errors.js";
import type { Graph } from "../gpu/graph.js";
import { elements, type Tensor } from "../gpu/tensor.js";
import { vecOf, weightElem } from "./linear.js";
import type { ConvWeight } from "./weights.js";

export interface Conv1dOptions {
  readonly label?: string;
  readonly bias?: Tensor;
  readonly activation?: Activation;
  /** Added after the activation; same shape as the result. */
  readonly residual?: Tensor;
  readonly stride?: number;
  readonly dilation?: number;
  /** Zero frames in front. Default: causal, (taps − 1) · dilation. */
  readonly padLeft?: number;
  /** Output frames; input frames past the end count as zeros. Default: one for each `stride` up-sampled input frames. */
  readonly frames?: number;
  /** Repeats every input frame so many times before the convolution. */
  readonly upsample?: number;
}

/** x [T, in] or [B, T, in] -> [T', out] or [B, T', out]. */
export function conv1d(g: Graph, x: Tensor, weight: ConvWeight, options: Conv1dOptions = {}): Tensor {
  const { taps, in: channelsIn, out: channelsOut } = weight;
  const { activation = "none", bias, residual, stride = 1, dilation = 1, upsample = 1 } = options;
  if (x.shape.at(-1) !== channelsIn) {
    throw new InternalError(`${x.label}: [${x.shape.join(", ")}] for a convolution of ${channelsIn} channels`);
  }
  const framesIn = x.shape.at(-2) ?? 1;
  const batch = elements(x.shape.slice(0, -2));
  const framesOut = options.frames ?? Math.ceil((framesIn * upsample) / stride);
  const out = g.temp(options.label ?? "conv1d", [...x.shape.slice(0, -2), framesOut, channelsOut]);
  const constants = {
    elem: weightElem(weight.tensor, g.capabilities),
    vec: vecOf(channelsIn),
    activation,
    bias: bias !== undefined,
    residual: residual !== undefined,
    upsample,
  };
  const params = {
    batch,
    framesIn,
    framesOut,
    channelsIn,
    channelsOut,
    stride4: Math.ceil(channelsIn / 4),
    taps,
    stride,
    dilation,
    padLeft: options.padLeft ?? (taps - 1) * dilation,
  };
  const tensors = { x, weight: weight.tensor, out, ...(bias ? { bias } : {}), ...(residual ? { residual } : {}) };
  if (g.capabilities.adapter.software) {
    g.add(conv1dDirect, constants, params, tensors);
  } else {
    // Large tiles read less but leave a GPU idle when there are few of them.
    const tiles = Math.ceil((batch * framesOut) / 64) * Math.ceil(channelsOut / 64);
    g.add(kernel, { ...constants, threads: tiles >= 64 ? 16 : 8 }, params, tensors);
  }
  return out;
}
