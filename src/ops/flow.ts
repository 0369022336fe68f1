/** The small steps around the flow's estimator. */

import { maskParams } from "../../kernels/attentionFragments.js";
import { attentionMask as maskKernel } from "../../kernels/attentionMask.js";
import { concat as concatKernel } from "../../kernels/concat.js";
import { estimatorInput as inputKernel } from "../../kernels/estimatorInput.js";
import { eulerStep as stepKernel } from "../../kernels/eulerStep.js";
import type { Graph } from "../gpu/graph.js";
import { dim, elements, type Tensor } from "../gpu/tensor.js";

export interface EstimatorTensors {
  readonly x: Tensor; // [M, bins]
  readonly mu: Tensor; // [M, bins]
  readonly speaker: Tensor; // [bins]
  readonly condition: Tensor; // [M, bins]
}

/** x, mu, speaker and condition side by side; the second row of the batch has zeros for all but x. -> [2, M, 4 · bins] */
export function estimatorInput(g: Graph, tensors: EstimatorTensors): Tensor {
  const [frames, bins] = [dim(tensors.x, 0), dim(tensors.x, 1)];
  const out = g.temp("input", [2, frames, 4 * bins]);
  g.add(inputKernel, {}, { frames, bins }, { ...tensors, out });
  return out;
}

export interface EulerOptions {
  readonly velocity: Tensor; // [2, M, bins]: with conditions, without
  readonly dt: Tensor; // [steps]
  /** The step's number [1]. */
  readonly state: Tensor;
  readonly guidance: number;
}

/** In place: x += dt · ((1 + guidance) · velocity[0] − guidance · velocity[1]). */
export function eulerStep(g: Graph, x: Tensor, { velocity, dt, state, guidance }: EulerOptions): void {
  g.add(stepKernel, {}, { count: elements(x.shape), steps: dim(dt, 0), guidance }, { velocity, dt, state, x });
}

/** [..., A] and [..., B] -> [..., A + B] */
export function concat(g: Graph, a: Tensor, b: Tensor): Tensor {
  const [widthA, widthB] = [dim(a, -1), dim(b, -1)];
  const out = g.temp("concat", [...a.shape.slice(0, -1), widthA + widthB]);
  g.add(concatKernel, {}, { rows: elements(a.shape) / widthA, widthA, widthB }, { a, b, out });
  return out;
}

/** The mask that `chunkAttention` applies: [frames, frames] of 0 and 1, mask[query, key]. */
export function attentionMask(g: Graph, frames: number, chunk: number | undefined): Tensor {
  const mask = g.temp("mask", [frames, frames], "u32");
  g.add(maskKernel, {}, maskParams(frames, chunk), { mask });
  return mask;
}
