/**
 * HiFT-Net's generator (Li et al., "HiFTNet", 2023; upstream `HiFTGenerator.decode`): a mel spectrogram and a source signal become
 * samples. Three up-sampling stages bring the mel to the rate of the source's spectrum, which is mixed in at each; an inverse Fourier
 * transform of the last stage's magnitudes and phases makes the samples.
 */
import type { VocoderConfig } from "../config.js";
import { FileError } from "../errors.js";
import type { Graph } from "../gpu/graph.js";
import { dim, type Tensor } from "../gpu/tensor.js";
import { conv1d } from "../ops/conv.js";
import { convTranspose1d, type Fourier, fourier, istft, leakyMean, snake, stft } from "../ops/vocoder.js";
import type { ConvWeight, Weights } from "../ops/weights.js";

/** Slope of the last leaky ReLU, which upstream leaves at PyTorch's default. */
const LAST_SLOPE = 0.01;

interface Conv {
  readonly weight: ConvWeight;
  readonly bias: Tensor; // [out]
}

/** One dilation of a residual block: x + conv2(snake2(conv1(snake1(x)))). */
interface ResidualLayer {
  readonly alpha1: Tensor; // [C]
  readonly conv1: Conv; // C -> C, dilated
  readonly alpha2: Tensor; // [C]
  readonly conv2: Conv; // C -> C
  readonly dilation: number;
}

type ResidualBlock = readonly ResidualLayer[];

interface Stage {
  readonly up: Conv; // 2C -> C, transposed
  readonly sourceDown: Conv; // size + 2 -> C
  readonly sourceBlock: ResidualBlock;
  readonly blocks: readonly ResidualBlock[];
}

export interface Hift {
  readonly convPre: Conv; // melBins -> base
  readonly stages: readonly Stage[];
  readonly convPost: Conv; // C -> size + 2
  readonly fourier: Fourier;
}

export async function loadHift(weights: Weights, vocoder: VocoderConfig): Promise<Hift> {
  const conv = async (name: string, transposed = false): Promise<Conv> => ({
    weight: await weights.conv(`${name}.weight`, { transposed }),
    bias: await weights.vector(`${name}.bias`),
  });
  const block = async (name: string, dilations: readonly number[]): Promise<ResidualBlock> => {
    const layers: ResidualLayer[] = [];
    for (const [i, dilation] of dilations.entries()) {
      layers.push({
        alpha1: await weights.vector(`${name}.activations1.${i}.alpha`),
        conv1: await conv(`${name}.convs1.${i}`),
        alpha2: await weights.vector(`${name}.activations2.${i}.alpha`),
        conv2: await conv(`${name}.convs2.${i}`),
        dilation,
      });
    }
    return layers;
  };
  const stages: Stage[] = [];
  for (const [i] of vocoder.upRates.entries()) {
    const sourceDilations = vocoder.sourceResDilations[i];
    if (!sourceDilations)
      throw new FileError(`vocoder: ${i} source residual blocks for ${vocoder.upRates.length} stages`);
    const blocks: ResidualBlock[] = [];
    for (const [j, dilations] of vocoder.resDilations.entries()) {
      blocks.push(await block(`resblocks.${i * vocoder.resKernels.length + j}`, dilations));
    }
    stages.push({
      up: await conv(`ups.${i}`, true),
      sourceDown: await conv(`source_downs.${i}`),
      sourceBlock: await block(`source_resblocks.${i}`, sourceDilations),
      blocks,
    });
  }
  return {
    convPre: await conv("conv_pre"),
    stages,
    convPost: await conv("conv_post"),
    fourier: fourier(weights, vocoder.nFft, vocoder.hop),
  };
}

/** mel [M, melBins], source [M · samplesPerFrame] -> samples [M · samplesPerFrame], clamped to ±audioLimit. */
export function hift(g: Graph, mel: Tensor, source: Tensor, net: Hift, vocoder: VocoderConfig): Tensor {
  return istft(g, hiftSpectrum(g, mel, source, net, vocoder), net.fourier, vocoder.audioLimit);
}

/** The same up to log-magnitudes and phases: [R·M + 1, size + 2], R the product of all up-sampling rates. */
export function hiftSpectrum(g: Graph, mel: Tensor, source: Tensor, net: Hift, vocoder: VocoderConfig): Tensor {
  const spectrum = stft(g, source, net.fourier); // [R·M + 1, size + 2]
  let x = convSame(g, mel, net.convPre); // [M, base]
  for (const [i, stage] of net.stages.entries()) {
    const rate = vocoder.upRates[i] as number;
    // The last stage gets one frame more, so that its frames meet those of the centred transform.
    const shift = i === net.stages.length - 1 ? 1 : 0;
    const frames = dim(x, 0) * rate + shift;
    const down = sourceStride(vocoder, i);
    let s = conv1d(g, spectrum, stage.sourceDown.weight, {
      bias: stage.sourceDown.bias,
      stride: down,
      padLeft: Math.floor(down / 2),
      frames,
    }); // [frames, C]
    s = residualBlock(g, s, stage.sourceBlock);
    const joined = convTranspose1d(g, x, stage.up.weight, {
      bias: stage.up.bias,
      stride: rate,
      pad: (stage.up.weight.taps - rate) / 2,
      slope: vocoder.leakySlope,
      shift,
      residual: s,
    }); // [frames, C]
    const last = i === net.stages.length - 1;
    x = leakyMean(
      g,
      stage.blocks.map((block) => residualBlock(g, joined, block)),
      last ? LAST_SLOPE : 1,
    );
  }
  return convSame(g, x, net.convPost);
}

/** Spectrum frames for one frame of up-sampling stage `stage`. */
function sourceStride({ upRates }: VocoderConfig, stage: number): number {
  return upRates.slice(stage + 1).reduce((product, rate) => product * rate, 1);
}

/** Convolution with as many frames out as in. */
function convSame(g: Graph, x: Tensor, conv: Conv, dilation = 1, residual?: Tensor): Tensor {
  const padLeft = (dilation * (conv.weight.taps - 1)) / 2;
  return conv1d(g, x, conv.weight, { bias: conv.bias, dilation, padLeft, ...(residual ? { residual } : {}) });
}

function residualBlock(g: Graph, input: Tensor, block: ResidualBlock): Tensor {
  let x = input; // [T, C]
  for (const { alpha1, conv1, alpha2, conv2, dilation } of block) {
    const t = convSame(g, snake(g, x, alpha1), conv1, dilation);
    x = convSame(g, snake(g, t, alpha2), conv2, 1, x);
  }
  return x;
}

/**
 * Mel frames on each side that a frame's samples depend on, rounded up: a longer utterance can be decoded in windows that overlap by
 * this much, with no difference. Every stride divides the samples of a mel frame, so windows keep all grids aligned.
 */
export function receptiveFrames(vocoder: VocoderConfig, preTaps: number, postTaps: number): number {
  const { upRates, upKernels, nFft, hop, resKernels, resDilations, sourceResKernels, sourceResDilations } = vocoder;
  const blockReach = (kernel: number, dilations: readonly number[]) =>
    dilations.reduce((sum, dilation) => sum + ((kernel - 1) / 2) * (dilation + 1), 0);
  const rates = upRates.map((_, i) => upRates.slice(0, i + 1).reduce((product, rate) => product * rate, 1));
  const finest = rates.at(-1) as number;
  let reach = (nFft / hop + (postTaps - 1) / 2 + 1) / finest;
  let furthest = reach;
  for (let i = upRates.length - 1; i >= 0; i--) {
    const rate = rates[i] as number;
    reach += Math.max(...resKernels.map((kernel, j) => blockReach(kernel, resDilations[j] ?? []))) / rate;
    const sourceReach = blockReach(sourceResKernels[i] ?? 1, sourceResDilations[i] ?? []) / rate;
    const spectrumReach = (2 * sourceStride(vocoder, i) + nFft / hop) / finest;
    furthest = Math.max(furthest, reach + sourceReach + spectrumReach);
    reach += Math.ceil((upKernels[i] as number) / (upRates[i] as number)) / (rate / (upRates[i] as number));
  }
  return Math.ceil(Math.max(furthest, reach + (preTaps - 1) / 2)) + 1;
}
