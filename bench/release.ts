/** The sizes of the released CosyVoice2-0.5B, as its converted `config.json` holds them: what the bench shapes are taken from. */
import type { EstimatorConfig, FlowConfig, LmConfig, VocoderConfig } from "../src/config.js";

export const lm: Pick<LmConfig, "layers" | "width" | "heads" | "kvHeads" | "headDim" | "ffn" | "speechRows"> = {
  layers: 24,
  width: 896,
  heads: 14,
  kvHeads: 2,
  headDim: 64,
  ffn: 4864,
  speechRows: 6564,
};

export const flow: Pick<FlowConfig, "width" | "heads" | "ffn"> = { width: 512, heads: 8, ffn: 2048 };

export const estimator: Pick<EstimatorConfig, "inChannels" | "channels" | "heads" | "headDim" | "ffn"> = {
  inChannels: 320,
  channels: 256,
  heads: 8,
  headDim: 64,
  ffn: 1024,
};

export const vocoder: Pick<VocoderConfig, "base" | "upRates" | "upKernels" | "nFft" | "hop"> = {
  base: 512,
  upRates: [8, 5, 3],
  upKernels: [16, 11, 7],
  nFft: 16,
  hop: 4,
};
