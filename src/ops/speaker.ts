/** Operations of the speaker encoder: 2-d convolution, batch norm, context-aware masking, statistics pooling. */
import { denseAppend as denseAppendKernel } from "../../kernels/denseAppend.js";
import { leakySum } from "../../kernels/leakySum.js";
import { scaleShift as scaleShiftKernel } from "../../kernels/scaleShift.js";
import { segmentContext as segmentContextKernel } from "../../kernels/segmentContext.js";
import { stackBins } from "../../kernels/stackBins.js";
import { statsPool as statsPoolKernel } from "../../kernels/statsPool.js";
import type { Graph } from "../gpu/graph.js";
import { dim, elements, type Tensor } from "../gpu/tensor.js";
import { conv1d } from "./conv.js";
import { vecOf } from "./linear.js";
import type { Conv2dWeight } from "./weights.js";

export interface Conv2dOptions {
  readonly bias: Tensor;
  readonly relu?: boolean;
  /** Over the bins, and zero bins below the first (and as many above the last). Default 1 and 0. */
  readonly binStride?: number;
  readonly binPad?: number;
  /** Over the frames; padded so that every `stride`-th frame is the middle of its taps. Default 1. */
  readonly stride?: number;
}

/**
 * x [H, T, in] -> [H', T', out]. Bins that a tap meets are put side by side as channels, then it is a convolution over frames with
 * the bins as its batch.
 */
export function conv2d(g: Graph, x: Tensor, weight: Conv2dWeight, options: Conv2dOptions): Tensor {
  const { bias, relu = false, binStride = 1, binPad = 0, stride = 1 } = options;
  const [binsIn, frames, channels] = [dim(x, 0), dim(x, 1), dim(x, 2)];
  const taps = weight.bins;
  const binsOut = Math.floor((binsIn + 2 * binPad - taps) / binStride) + 1;
  const stacked = g.temp("stackBins", [binsOut, frames, taps * channels]);
  const params = { binsIn, binsOut, frames, channels, taps, stride: binStride, padLow: binPad };
  g.add(stackBins, { vec: vecOf(channels) }, params, { x, out: stacked });
  return conv1d(g, stacked, weight.conv, {
    label: "conv2d",
    bias,
    activation: relu ? "relu" : "none",
    stride,
    padLeft: Math.floor((weight.conv.taps - 1) / 2),
  });
}

/** max(a + b, 0) */
export function addRelu(g: Graph, a: Tensor, b: Tensor): Tensor {
  const count = elements(a.shape);
  const out = g.temp("addRelu", a.shape);
  g.add(leakySum, { vec: vecOf(dim(a, -1)) }, { count, scale: 1, slope: 0 }, { a, b, out });
  return out;
}

/** A batch norm at inference: a factor and an offset for every channel [width]. */
export interface ScaleShift {
  readonly scale: Tensor;
  readonly shift: Tensor;
}

/** x [..., width] -> relu(x · scale + shift), or without the ReLU. */
export function scaleShift(g: Graph, x: Tensor, { scale, shift }: ScaleShift, { relu = false } = {}): Tensor {
  const width = dim(x, -1);
  const out = g.temp("scaleShift", x.shape);
  g.add(
    scaleShiftKernel,
    { vec: vecOf(width), relu },
    { rows: elements(x.shape) / width, width },
    {
      x,
      scale,
      shift,
      out,
    },
  );
  return out;
}

/** Mean over all frames plus mean over each segment of `segment` frames: x [T, C] -> [⌈T / segment⌉, C]. */
export function segmentContext(g: Graph, x: Tensor, segment: number): Tensor {
  const [frames, width] = [dim(x, 0), dim(x, 1)];
  const segments = Math.ceil(frames / segment);
  const out = g.temp("context", [segments, width]);
  g.add(segmentContextKernel, lanesFor(g), { frames, width, segments, segment }, { x, out });
  return out;
}

/** [x, local · sigmoid(mask of the frame's segment)]: x [T, C], local [T, growth], mask [⌈T / segment⌉, growth] -> [T, C + growth]. */
export function denseAppend(
  g: Graph,
  x: Tensor,
  { local, mask, segment }: { readonly local: Tensor; readonly mask: Tensor; readonly segment: number },
): Tensor {
  const [frames, width, growth, segments] = [dim(x, 0), dim(x, 1), dim(local, 1), dim(mask, 0)];
  const out = g.temp("denseAppend", [frames, width + growth]);
  g.add(denseAppendKernel, {}, { frames, width, growth, segments, segment }, { x, local, mask, out });
  return out;
}

/** Means, then unbiased standard deviations of the channels: x [T, C] -> [2 · C]. */
export function statsPool(g: Graph, x: Tensor): Tensor {
  const [frames, width] = [dim(x, 0), dim(x, 1)];
  const out = g.temp("stats", [2 * width]);
  g.add(statsPoolKernel, lanesFor(g), { frames, width }, { x, out });
  return out;
}

function lanesFor(g: Graph): { lanes: 1 | 16 } {
  return { lanes: g.capabilities.adapter.software ? 1 : 16 };
}
