/** Operations of the vocoder: transposed convolution, Snake, sums of residual blocks, and the short-time Fourier transform. */
import { convTranspose1d as convTranspose1dKernel } from "../../kernels/convTranspose1d.js";
import { convTranspose1dDirect } from "../../kernels/convTranspose1dDirect.js";
import { istft as istftKernel } from "../../kernels/istft.js";
import { leakySum as leakySumKernel } from "../../kernels/leakySum.js";
import { snake as snakeKernel } from "../../kernels/snake.js";
import { stft as stftKernel } from "../../kernels/stft.js";
import { InternalError } from "../errors.js";
import type { Graph } from "../gpu/graph.js";
import { dim, elements, type ResidentTensor, type Tensor } from "../gpu/tensor.js";
import { vecOf, weightElem } from "./linear.js";
import type { ConvWeight, Weights } from "./weights.js";

export interface ConvTranspose1dOptions {
  readonly bias: Tensor;
  readonly stride: number;
  /** Frames dropped at both ends. */
  readonly pad: number;
  /** Slope of the leaky ReLU in front; 1 (the default) leaves x as it is. */
  readonly slope?: number;
  /** Frames of reflection padding put in front of the result. */
  readonly shift?: number;
  /** Added to the padded result; same shape. */
  readonly residual?: Tensor;
}

/** x [T, in] -> [(T − 1) · stride − 2 · pad + taps + shift, out]. The weight is read with `transposed`. */
export function convTranspose1d(g: Graph, x: Tensor, weight: ConvWeight, options: ConvTranspose1dOptions): Tensor {
  const { bias, stride, pad, slope = 1, shift = 0, residual } = options;
  const framesIn = dim(x, -2);
  const { taps, in: channelsIn, out: channelsOut } = weight;
  const frames = (framesIn - 1) * stride - 2 * pad + taps;
  if (dim(x, -1) !== channelsIn || shift >= frames) {
    throw new InternalError(
      `${x.label}: [${x.shape.join(", ")}] for a transposed convolution of ${channelsIn} channels, ${shift} of ${frames} frames reflected`,
    );
  }
  const out = g.temp("convTranspose1d", [frames + shift, channelsOut]);
  const constants = {
    elem: weightElem(weight.tensor, g.capabilities),
    vec: vecOf(channelsIn),
    residual: residual !== undefined,
  };
  const params = {
    framesIn,
    frames,
    channelsIn,
    channelsOut,
    stride4: Math.ceil(channelsIn / 4),
    taps,
    stride,
    pad,
    shift,
    slope,
  };
  const tensors = { x, weight: weight.tensor, bias, out, ...(residual ? { residual } : {}) };
  if (g.capabilities.adapter.software) {
    g.add(convTranspose1dDirect, constants, params, tensors);
  } else {
    // Large tiles read less but leave a GPU idle when there are few of them.
    const tiles = Math.ceil(framesIn / 64) * Math.ceil(channelsOut / 64) * stride;
    g.add(convTranspose1dKernel, { ...constants, threads: tiles >= 64 ? 16 : 8 }, params, tensors);
  }
  return out;
}

/** x + sin²(alpha · x) / (alpha + 1e-9): x [T, C], alpha [C] -> [T, C]. */
export function snake(g: Graph, x: Tensor, alpha: Tensor): Tensor {
  const channels = dim(x, -1);
  const out = g.temp("snake", x.shape);
  g.add(snakeKernel, { vec: vecOf(channels) }, { frames: elements(x.shape) / channels, channels }, { x, alpha, out });
  return out;
}

/** leaky( mean of the tensors ), all of one shape; a slope of 1 leaves the mean as it is. */
export function leakyMean(g: Graph, tensors: readonly Tensor[], slope = 1): Tensor {
  const [first, ...rest] = tensors;
  if (!first) throw new InternalError(`${g.label}: a mean of no tensors`);
  const count = elements(first.shape);
  // A single tensor is the mean of itself twice.
  const others = rest.length > 0 ? rest : [first];
  let sum = first;
  for (const [index, b] of others.entries()) {
    const last = index === others.length - 1;
    const out = g.temp("leakyMean", first.shape);
    g.add(
      leakySumKernel,
      { vec: vecOf(dim(first, -1)) },
      { count, scale: last ? 1 / (others.length + 1) : 1, slope: last ? slope : 1 },
      { a: sum, b, out },
    );
    sum = out;
  }
  return sum;
}

/** Sizes and tables of one short-time Fourier transform with a periodic Hann window. */
export interface Fourier {
  readonly size: number;
  readonly hop: number;
  /** Windowed cosines and negative sines [size + 2, size]. */
  readonly analysis: ResidentTensor;
  /** Inverse transform and window [size, size + 2]. */
  readonly synthesis: ResidentTensor;
  /** Squared window [size]. */
  readonly window2: ResidentTensor;
}

/** The tables in double precision; see `Fourier` for their shapes. */
export function fourierTables(size: number, hop: number) {
  if (size % (2 * hop) !== 0) {
    throw new InternalError(`a transform of ${size} samples every ${hop}: half of it must be a multiple of the hop`);
  }
  const bins = size / 2 + 1;
  const analysis = new Float32Array(2 * bins * size);
  const synthesis = new Float32Array(size * 2 * bins);
  const window2 = new Float32Array(size);
  for (let n = 0; n < size; n++) {
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size);
    window2[n] = window * window;
    for (let k = 0; k < bins; k++) {
      const cosine = window * Math.cos((2 * Math.PI * ((k * n) % size)) / size);
      const sine = window * Math.sin((2 * Math.PI * ((k * n) % size)) / size);
      analysis[k * size + n] = cosine;
      analysis[(bins + k) * size + n] = -sine;
      // The first and the last bin stand once in a real spectrum, the others twice; those two have no imaginary part.
      const edge = k === 0 || k === bins - 1;
      synthesis[n * 2 * bins + k] = ((edge ? 1 : 2) * cosine) / size;
      synthesis[n * 2 * bins + bins + k] = edge ? 0 : (-2 * sine) / size;
    }
  }
  return { analysis, synthesis, window2 };
}

/** Uploads the tables; they are freed with the weights. */
export function fourier(weights: Weights, size: number, hop: number): Fourier {
  const { analysis, synthesis, window2 } = fourierTables(size, hop);
  return {
    size,
    hop,
    analysis: weights.constant("stft basis", [size + 2, size], analysis),
    synthesis: weights.constant("istft basis", [size, size + 2], synthesis),
    window2: weights.constant("istft window²", [size], window2),
  };
}

/** x [N] -> real then imaginary parts [N / hop + 1, size + 2]. */
export function stft(g: Graph, x: Tensor, { size, hop, analysis }: Fourier): Tensor {
  const samples = elements(x.shape);
  if (samples <= size / 2) throw new InternalError(`${x.label}: ${samples} samples cannot be reflected by ${size / 2}`);
  const frames = Math.floor(samples / hop) + 1;
  const columns = size + 2;
  const out = g.temp("stft", [frames, columns]);
  g.add(stftKernel, {}, { samples, frames, columns, size, hop }, { x, basis: analysis, out });
  return out;
}

/** Log-magnitudes and phases [F, size + 2] -> samples [(F − 1) · hop], clamped to ±limit. */
export function istft(g: Graph, x: Tensor, { size, hop, synthesis, window2 }: Fourier, limit: number): Tensor {
  const steps = dim(x, -2) - 1;
  const out = g.temp("istft", [steps * hop]);
  const params = { steps, columns: size + 2, overlap: size / hop, limit };
  g.add(istftKernel, { hop }, params, { x, synthesis, window2, out });
  return out;
}
