/** Every kernel, for the tests and benches that sweep them. */
import type { AnyKernel } from "../src/gpu/kernel.js";
import { attentionMask } from "./attentionMask.js";
import { cachedAttention } from "./cachedAttention.js";
import { chunkAttention } from "./chunkAttention.js";
import { chunkAttentionDirect } from "./chunkAttentionDirect.js";
import { concat } from "./concat.js";
import { conv1d } from "./conv1d.js";
import { conv1dDirect } from "./conv1dDirect.js";
import { convTranspose1d } from "./convTranspose1d.js";
import { convTranspose1dDirect } from "./convTranspose1dDirect.js";
import { denseAppend } from "./denseAppend.js";
import { draw } from "./draw.js";
import { embed } from "./embed.js";
import { estimatorInput } from "./estimatorInput.js";
import { eulerStep } from "./eulerStep.js";
import { fsmn } from "./fsmn.js";
import { fsq } from "./fsq.js";
import { istft } from "./istft.js";
import { layerNorm } from "./layerNorm.js";
import { leakySum } from "./leakySum.js";
import { matmul } from "./matmul.js";
import { matvec } from "./matvec.js";
import { matvecDirect } from "./matvecDirect.js";
import { nucleus } from "./nucleus.js";
import { rmsNorm } from "./rmsNorm.js";
import { ropeCache } from "./ropeCache.js";
import { rotary } from "./rotary.js";
import { scaleShift } from "./scaleShift.js";
import { segmentContext } from "./segmentContext.js";
import { snake } from "./snake.js";
import { stackBins } from "./stackBins.js";
import { statsPool } from "./statsPool.js";
import { stft } from "./stft.js";
import { swiglu } from "./swiglu.js";

export const ALL_KERNELS: readonly AnyKernel[] = [
  attentionMask,
  cachedAttention,
  chunkAttention,
  chunkAttentionDirect,
  concat,
  conv1d,
  conv1dDirect,
  convTranspose1d,
  convTranspose1dDirect,
  denseAppend,
  draw,
  embed,
  estimatorInput,
  eulerStep,
  fsmn,
  fsq,
  istft,
  layerNorm,
  leakySum,
  matmul,
  matvec,
  matvecDirect,
  nucleus,
  rmsNorm,
  ropeCache,
  rotary,
  scaleShift,
  segmentContext,
  snake,
  stackBins,
  statsPool,
  stft,
  swiglu,
];
