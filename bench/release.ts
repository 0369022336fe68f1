/** The config of the released CosyVoice2-0.5B, as `cosyvoice convert` writes it: what the bench takes its shapes from, and the tests at full size. */
import type { Config } from "../src/config.js";

export const release = {
  format: "cosyvoice-webgpu-1",
  generation: "cosyvoice2",
  sampleRate: 24000,
  tokenRate: 25,
  tokenMelRatio: 2,
  lm: {
    layers: 24,
    width: 896,
    heads: 14,
    kvHeads: 2,
    headDim: 64,
    ffn: 4864,
    textRows: 151936,
    speechCodes: 6561,
    speechRows: 6564,
    ropeTheta: 1000000,
    normEps: 1e-6,
    maxPositions: 32768,
    sampling: {
      topP: 0.8,
      topK: 25,
      window: 10,
      tauR: 0.1,
    },
    mixRatio: [5, 15],
    minRatio: 2,
    maxRatio: 20,
  },
  flow: {
    codes: 6561,
    inputWidth: 512,
    width: 512,
    heads: 8,
    ffn: 2048,
    blocks: 6,
    upBlocks: 4,
    lookahead: 3,
    chunk: 25,
    speakerWidth: 192,
    melBins: 80,
    solver: {
      steps: 10,
      guidance: 0.7,
      noiseFrames: 15000,
    },
    estimator: {
      inChannels: 320,
      channels: 256,
      heads: 8,
      headDim: 64,
      blocks: 4,
      midBlocks: 12,
      ffn: 1024,
      timeSinusoids: 320,
      timeWidth: 1024,
      chunk: 50,
    },
  },
  vocoder: {
    melBins: 80,
    base: 512,
    overtones: 8,
    sineAmp: 0.1,
    noiseStd: 0.003,
    voicedThreshold: 10,
    upRates: [8, 5, 3],
    upKernels: [16, 11, 7],
    nFft: 16,
    hop: 4,
    resKernels: [3, 7, 11],
    resDilations: [
      [1, 3, 5],
      [1, 3, 5],
      [1, 3, 5],
    ],
    sourceResKernels: [7, 7, 11],
    sourceResDilations: [
      [1, 3, 5],
      [1, 3, 5],
      [1, 3, 5],
    ],
    leakySlope: 0.1,
    audioLimit: 0.99,
    f0Width: 512,
    f0Layers: 5,
  },
  speechTokenizer: {
    melBins: 128,
    width: 1280,
    heads: 20,
    ffn: 5120,
    layers: 6,
    fsqDims: 8,
    fsmnKernel: 31,
    attnNormEps: 1e-6,
    mlpNormEps: 1e-5,
  },
  speaker: {
    melBins: 80,
    headChannels: 32,
    tdnnChannels: 128,
    blocks: [12, 24, 16],
    dilations: [1, 2, 2],
    growth: 32,
    bottleneck: 128,
    embedding: 192,
  },
  mel: {
    nFft: 1920,
    hop: 480,
    win: 1920,
    bins: 80,
    fMin: 0,
    fMax: 8000,
  },
} satisfies Config;

/**
 * One layer of every kind that repeats: the same shapes, a fraction of the weights. The speaker encoder keeps two in a block, since the
 * channels they make are halved behind it.
 */
export function oneOfEach(config: Config): Config {
  const { lm, flow, speechTokenizer, speaker, ...rest } = config;
  return {
    ...rest,
    ...(lm ? { lm: { ...lm, layers: 1, textRows: 256 } } : {}),
    ...(flow
      ? { flow: { ...flow, blocks: 1, upBlocks: 1, estimator: { ...flow.estimator, blocks: 1, midBlocks: 1 } } }
      : {}),
    ...(speechTokenizer ? { speechTokenizer: { ...speechTokenizer, layers: 1 } } : {}),
    ...(speaker ? { speaker: { ...speaker, blocks: speaker.blocks.map(() => 2) } } : {}),
  };
}
