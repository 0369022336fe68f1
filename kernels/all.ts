/** Every kernel, for the tests and benches that sweep them. */
import type { AnyKernel } from "../src/gpu/kernel.js";
import { conv1d } from "./conv1d.js";
import { matmul } from "./matmul.js";
import { matvec } from "./matvec.js";

export const ALL_KERNELS: readonly AnyKernel[] = [conv1d, matmul, matvec];
