/**
 * A short proof that a GPU computes correctly: a linear layer over many rows and over one, with the kernels that the engine chooses
 * on this device, per way of keeping weights, against the same sums in double precision; and halves from a table of hard cases.
 */

import { halfToNumber, numberToHalf, toHalf } from "./checkpoint/dtype.js";
import type { WeightDtype } from "./checkpoint/model.js";
import { checkCancelled } from "./errors.js";
import type { Device } from "./gpu/device.js";
import { Graph } from "./gpu/graph.js";
import { Program } from "./gpu/program.js";
import type { ResidentTensor } from "./gpu/tensor.js";
import { linear, linearVector } from "./ops/linear.js";
import { RandomStream } from "./random.js";

export interface SelfTestResult {
  readonly name: string;
  readonly passed: boolean;
  /** ‖out − expected‖ / ‖expected‖. */
  readonly rel: number;
  readonly limit: number;
  readonly ms: number;
}

/** Uneven on purpose: tiles are cut on every side. */
const ROWS = 67;
const INNER = 132;
const COLS = 71;

/** Sums of f32 products in another order. */
const LIMIT = 2e-6;

/** Halves that a careless conversion gets wrong: signed zero, the least and largest subnormal and normal values, odd last bits. */
const HARD_HALVES = [0x0000, 0x8000, 0x0001, 0x03ff, 0x0400, 0x8401, 0x3555, 0x3c01, 0xbc01, 0x7bff, 0xfbff, 0x5a5a];

/** Runs in about a second, most of it compiling. @throws CancelledError when the signal fires */
export async function selfTest(device: Device, signal?: AbortSignal): Promise<SelfTestResult[]> {
  const results: SelfTestResult[] = [];
  const add = async (name: string, dtype: WeightDtype, test: Case) => {
    checkCancelled(signal, "the check of the GPU");
    results.push(await check(device, name, dtype, test));
  };
  for (const dtype of ["f32", "f16"] as const) {
    await add(`linear, ${ROWS} rows, ${dtype} weights`, dtype, randomCase(dtype, ROWS));
    await add(`linear, one row, ${dtype} weights`, dtype, randomCase(dtype, 1));
  }
  await add("halves that are hard to read", "f16", halvesCase());
  return results;
}

interface Case {
  readonly rows: number;
  readonly inner: number;
  readonly cols: number;
  /** [rows, inner] */
  readonly x: Float32Array;
  /** [cols, inner], already rounded to what is stored. */
  readonly weight: Float32Array;
  readonly limit: number;
}

function randomCase(dtype: WeightDtype, rows: number): Case {
  const x = new RandomStream("self-test x", 1).gaussian(0, rows * INNER);
  const weight = new RandomStream("self-test weight", 1).gaussian(0, COLS * INNER);
  const stored = dtype === "f32" ? weight : weight.map((value) => halfToNumber(numberToHalf(value)));
  return { rows, inner: INNER, cols: COLS, x, weight: stored, limit: LIMIT };
}

/** Row c of the weight holds one hard half; times a one, it must come out unchanged. */
function halvesCase(): Case {
  const cols = HARD_HALVES.length;
  const weight = new Float32Array(cols * 4);
  HARD_HALVES.forEach((bits, c) => {
    weight[c * 4] = halfToNumber(bits);
  });
  return { rows: 1, inner: 4, cols, x: Float32Array.of(1, 0, 0, 0), weight, limit: 0 };
}

async function check(device: Device, name: string, dtype: WeightDtype, test: Case): Promise<SelfTestResult> {
  const { rows, inner, cols, x, weight, limit } = test;
  const start = performance.now();
  const owned: ResidentTensor[] = [];
  const own = (tensor: ResidentTensor) => {
    owned.push(tensor);
    return tensor;
  };
  try {
    const stored = dtype === "f32" ? weight : toHalf(weight);
    const tensor = own(device.upload("weight", [cols, inner / 4, 4], stored, dtype));
    const matrix = { tensor, cols, inner };
    const g = new Graph("selfTest", device.capabilities);
    const out =
      rows === 1
        ? linearVector(g, own(device.upload("x", [inner], x)), matrix)
        : linear(g, own(device.upload("x", [rows, inner], x)), matrix);
    g.keep(out);
    const program = await Program.compile(device, g);
    try {
      program.run();
      const rel = relativeError(await program.read(out), expected(test));
      return { name, passed: rel <= limit, rel, limit, ms: performance.now() - start };
    } finally {
      program.destroy();
    }
  } finally {
    device.release(...owned.map(({ buffer }) => buffer));
  }
}

function expected({ rows, inner, cols, x, weight }: Case): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += (x[r * inner + k] as number) * (weight[c * inner + k] as number);
      out[r * cols + c] = sum;
    }
  }
  return out;
}

function relativeError(out: Float32Array, want: Float64Array): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < want.length; i++) {
    difference += ((out[i] as number) - (want[i] as number)) ** 2;
    size += (want[i] as number) ** 2;
  }
  return Math.sqrt(difference / size);
}
