/**
 * The speaker encoder CAM++: residual 2-d convolutions over bins and frames, then a time-delay network whose layers are densely
 * connected and masked by what is heard around (D-TDNN with context-aware masking), and the statistics of all frames.
 *
 *   layer:  z = relu(W · relu(BN(x)) + b)        x = [x, Local(z) · sigmoid(W2 · relu(W1 · context(z)))]
 *   context(z) = mean of z over all frames + mean over the frame's segment
 *
 * Batch norms that follow a convolution are folded into it; the others are a factor and an offset, computed at load.
 */
import type { SpeakerConfig } from "../config.js";
import type { Graph } from "../gpu/graph.js";
import { dim, reshape, type Tensor } from "../gpu/tensor.js";
import { type Affine, loadAffine } from "../ops/affine.js";
import { conv1d } from "../ops/conv.js";
import { linear } from "../ops/linear.js";
import {
  addRelu,
  conv2d,
  denseAppend,
  type ScaleShift,
  scaleShift,
  segmentContext,
  statsPool,
} from "../ops/speaker.js";
import type { Conv2dWeight, ConvWeight, Matrix, Weights } from "../ops/weights.js";

const BATCH_NORM_EPS = 1e-5;

/** Frames of the time-delay network whose mean is shared as context: 2 s (`seg_pooling` of 3D-Speaker). */
const SEGMENT = 100;

/** Of the time-delay network over the frames. */
export const STRIDE = 2;

interface Conv2d {
  readonly weight: Conv2dWeight;
  readonly bias: Tensor;
}

interface ResidualBlock {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  /** 1 × 1, in the block that halves the bins. */
  readonly shortcut: Conv2d | undefined;
}

interface DenseLayer {
  readonly norm: ScaleShift; // [in]
  readonly bottleneck: Affine; // in -> bottleneck
  readonly local: ConvWeight; // bottleneck -> growth
  readonly squeeze: Affine; // bottleneck -> bottleneck / 2
  readonly excite: Affine; // bottleneck / 2 -> growth
}

interface DenseBlock {
  readonly layers: readonly DenseLayer[];
  readonly dilation: number;
  readonly transit: {
    readonly norm: ScaleShift;
    /** Halves the channels. */
    readonly weight: Matrix;
    /** In the last block, whose transit has the norm behind it folded in; a ReLU follows there. */
    readonly bias: Tensor | undefined;
  };
}

export interface CamPlus {
  readonly conv1: Conv2d;
  readonly residual: readonly ResidualBlock[];
  readonly conv2: Conv2d;
  readonly tdnn: Conv2d;
  readonly blocks: readonly DenseBlock[];
  readonly dense: { readonly weight: Matrix; readonly norm: ScaleShift };
}

async function loadConv2d(weights: Weights, name: string, bins?: number): Promise<Conv2d> {
  return { weight: await weights.conv2d(`${name}.weight`, bins), bias: await weights.vector(`${name}.bias`) };
}

async function loadResidual(weights: Weights, name: string, halves: boolean): Promise<ResidualBlock> {
  return {
    conv1: await loadConv2d(weights, `${name}.conv1`),
    conv2: await loadConv2d(weights, `${name}.conv2`),
    shortcut: halves ? await loadConv2d(weights, `${name}.shortcut.0`) : undefined,
  };
}

/** (x − mean) / √(var + eps) · gain + offset as x · scale + shift; a norm without gain and offset has 1 and 0. */
async function loadBatchNorm(weights: Weights, name: string, affine = true): Promise<ScaleShift> {
  const mean = await weights.values(`${name}.running_mean`);
  const variance = await weights.values(`${name}.running_var`);
  const scale = variance.map((v) => 1 / Math.sqrt(v + BATCH_NORM_EPS));
  const shift = new Float32Array(mean.length);
  if (affine) {
    const gain = await weights.values(`${name}.weight`);
    for (const [c, g] of gain.entries()) scale[c] = (scale[c] as number) * g;
    shift.set(await weights.values(`${name}.bias`));
  }
  for (const [c, m] of mean.entries()) shift[c] = (shift[c] as number) - m * (scale[c] as number);
  return {
    scale: weights.constant(`${name} scale`, [scale.length], scale),
    shift: weights.constant(`${name} shift`, [shift.length], shift),
  };
}

async function loadDenseLayer(weights: Weights, name: string): Promise<DenseLayer> {
  return {
    norm: await loadBatchNorm(weights, `${name}.nonlinear1.batchnorm`),
    bottleneck: await loadAffine(weights, `${name}.linear1`),
    local: await weights.conv(`${name}.cam_layer.linear_local.weight`),
    squeeze: await loadAffine(weights, `${name}.cam_layer.linear1`),
    excite: await loadAffine(weights, `${name}.cam_layer.linear2`),
  };
}

export async function loadCamPlus(weights: Weights, config: SpeakerConfig): Promise<CamPlus> {
  const residual: ResidualBlock[] = [];
  for (const layer of ["head.layer1", "head.layer2"]) {
    residual.push(await loadResidual(weights, `${layer}.0`, true), await loadResidual(weights, `${layer}.1`, false));
  }
  const blocks: DenseBlock[] = [];
  for (const [b, count] of config.blocks.entries()) {
    const layers: DenseLayer[] = [];
    for (let i = 1; i <= count; i++) layers.push(await loadDenseLayer(weights, `xvector.block${b + 1}.tdnnd${i}`));
    const name = `xvector.transit${b + 1}`;
    const last = b === config.blocks.length - 1;
    const transit = {
      norm: await loadBatchNorm(weights, `${name}.nonlinear.batchnorm`),
      weight: await weights.matrix(`${name}.linear.weight`),
      bias: last ? await weights.vector(`${name}.linear.bias`) : undefined,
    };
    blocks.push({ layers, dilation: config.dilations[b] ?? 1, transit });
  }
  return {
    conv1: await loadConv2d(weights, "head.conv1"),
    residual,
    conv2: await loadConv2d(weights, "head.conv2"),
    tdnn: await loadConv2d(weights, "xvector.tdnn.linear", headBins(config)),
    blocks,
    dense: {
      weight: await weights.matrix("xvector.dense.linear.weight"),
      norm: await loadBatchNorm(weights, "xvector.dense.nonlinear.batchnorm", false),
    },
  };
}

/** Bins that the head leaves: it halves them three times. */
function headBins({ melBins }: SpeakerConfig): number {
  return Math.ceil(melBins / 8);
}

/** fbank [melBins, T, 1] -> the speaker's vector [embedding], of any length. */
export function camPlus(g: Graph, fbank: Tensor, net: CamPlus): Tensor {
  let x = timeDelay(g, head(g, fbank, net), net); // [T / 2, tdnnChannels]
  for (const block of net.blocks) x = denseBlock(g, x, block); // [T / 2, half of in + layers · growth]
  const stats = statsPool(g, x); // [2 · channels]
  return scaleShift(g, linear(g, stats, net.dense.weight), net.dense.norm);
}

/** [melBins, T, 1] -> [melBins / 8, T, headChannels] */
export function head(g: Graph, fbank: Tensor, net: CamPlus): Tensor {
  let x = conv3x3(g, fbank, net.conv1, { relu: true });
  for (const block of net.residual) x = residualBlock(g, x, block);
  return conv3x3(g, x, net.conv2, { relu: true, binStride: 2 });
}

/** relu(conv(relu(conv(x))) + x), the bins halved in both terms where there is a shortcut. */
function residualBlock(g: Graph, x: Tensor, { conv1, conv2, shortcut }: ResidualBlock): Tensor {
  const binStride = shortcut ? 2 : 1;
  const y = conv3x3(g, conv3x3(g, x, conv1, { relu: true, binStride }), conv2);
  return addRelu(g, y, shortcut ? conv2d(g, x, shortcut.weight, { bias: shortcut.bias, binStride }) : x);
}

function conv3x3(g: Graph, x: Tensor, { weight, bias }: Conv2d, options: { relu?: boolean; binStride?: number } = {}) {
  return conv2d(g, x, weight, { bias, binPad: 1, ...options });
}

/** Every second frame of all bins at once: [H, T, headChannels] -> [⌈T / 2⌉, tdnnChannels] */
export function timeDelay(g: Graph, x: Tensor, { tdnn: { weight, bias } }: CamPlus): Tensor {
  const y = conv2d(g, x, weight, { bias, relu: true, stride: STRIDE });
  return reshape(y, [dim(y, 1), dim(y, 2)]);
}

/** [T, in] -> [T, (in + layers · growth) / 2] */
function denseBlock(g: Graph, x: Tensor, { layers, dilation, transit: { norm, weight, bias } }: DenseBlock): Tensor {
  const y = denseLayers(g, x, { layers, dilation });
  return linear(g, scaleShift(g, y, norm, { relu: true }), weight, bias ? { bias, activation: "relu" } : {});
}

/** [T, in] -> [T, in + layers · growth]: each layer's output is appended to what it saw. */
export function denseLayers(g: Graph, x: Tensor, block: Pick<DenseBlock, "layers" | "dilation">): Tensor {
  return block.layers.reduce((seen, layer) => denseLayer(g, seen, layer, block.dilation), x);
}

function denseLayer(g: Graph, x: Tensor, layer: DenseLayer, dilation: number): Tensor {
  const { norm, bottleneck, squeeze, excite } = layer;
  const z = linear(g, scaleShift(g, x, norm, { relu: true }), bottleneck.weight, {
    label: "bottleneck",
    bias: bottleneck.bias,
    activation: "relu",
  });
  const padLeft = Math.floor((layer.local.taps - 1) / 2) * dilation;
  const local = conv1d(g, z, layer.local, { dilation, padLeft }); // [T, growth]
  const context = segmentContext(g, z, SEGMENT); // [segments, bottleneck]
  const squeezed = linear(g, context, squeeze.weight, { bias: squeeze.bias, activation: "relu" });
  const mask = linear(g, squeezed, excite.weight, { label: "mask", bias: excite.bias }); // [segments, growth]
  return denseAppend(g, x, { local, mask, segment: SEGMENT });
}
