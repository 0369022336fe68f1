/** Every kernel, for the tests and benches that sweep them. */
import type { AnyKernel } from "../src/gpu/kernel.js";
import { matmul } from "./matmul.js";
import { matvec } from "./matvec.js";

export const ALL_KERNELS: readonly AnyKernel[] = [matmul, matvec];
