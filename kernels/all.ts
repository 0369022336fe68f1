/** Every kernel, for the tests and benches that sweep them. */
import type { AnyKernel } from "../src/gpu/kernel.js";
import { conv1d } from "./conv1d.js";
import { convTranspose1d } from "./convTranspose1d.js";
import { istft } from "./istft.js";
import { leakySum } from "./leakySum.js";
import { matmul } from "./matmul.js";
import { matvec } from "./matvec.js";
import { snake } from "./snake.js";
import { stft } from "./stft.js";

export const ALL_KERNELS: readonly AnyKernel[] = [
  conv1d,
  convTranspose1d,
  istft,
  leakySum,
  matmul,
  matvec,
  snake,
  stft,
];
