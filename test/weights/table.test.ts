import { describe, expect, it } from "vitest";
import type { Component, Config } from "../../src/config.js";
import { weightTable } from "../../weights/all.js";
import { problems } from "../../weights/table.js";

/** The sizes of CosyVoice2-0.5B. */
const RELEASE: Config = {
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
    ropeTheta: 1e6,
    normEps: 1e-6,
    maxPositions: 32768,
    sampling: { topP: 0.8, topK: 25, window: 10, tauR: 0.1 },
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
    solver: { steps: 10, guidance: 0.7, noiseFrames: 15000 },
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
  mel: { nFft: 1920, hop: 480, win: 1920, bins: 80, fMin: 0, fMax: 8000 },
};

const product = (shape: readonly number[]) => shape.reduce((all, size) => all * size, 1);

describe("tables of the 0.5B release", () => {
  // Counts of the published files: llm.pt holds 2,023,215,248 bytes of distinct floats, in 295 tensors with the tied head.
  it.each<[Component, number, number]>([
    ["lm", 294, 2_023_215_248 / 4],
    ["flow", 1121, 112_549_360],
    ["vocoder", 246, 20_806_557],
    ["speechTokenizer", 102, 123_714_568],
  ])("%s: %i tensors, %i parameters", (component, tensors, parameters) => {
    const shapes = [...weightTable(component, RELEASE).values()];
    expect([shapes.length, shapes.reduce((sum, shape) => sum + product(shape), 0)]).toEqual([tensors, parameters]);
  });

  it("speaker: 617 tensors, batch norms behind convolutions folded", () => {
    const table = weightTable("speaker", RELEASE);
    expect(table.size).toBe(617);
    expect(table.get("xvector.tdnn.linear.weight")).toEqual([128, 320, 5]);
    expect(table.get("xvector.block2.tdnnd24.linear1.weight")).toEqual([128, 992, 1]);
    expect(table.get("xvector.transit2.linear.weight")).toEqual([512, 1024, 1]);
    expect(table.get("xvector.dense.linear.weight")).toEqual([192, 1024, 1]);
  });
});

describe("the check", () => {
  it("reports every missing, misshapen and surplus tensor", () => {
    const table = new Map([
      ["a", [2, 3]],
      ["b", [4]],
      ["c", [1]],
    ]);
    const found = new Map([
      ["b", [4, 1]],
      ["c", [1]],
      ["d\u001b[31m", [1]],
    ]);
    const shapes = { names: () => [...found.keys()], info: (name: string) => ({ shape: found.get(name) ?? [] }) };
    expect(problems(table, shapes)).toEqual([
      "a is missing, expected [2, 3]",
      "b is [4, 1], expected [4]",
      "d?[31m is not a tensor of this component",
    ]);
  });
});
