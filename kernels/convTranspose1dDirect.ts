/**
 * The transposed convolution of `convTranspose1d` without workgroup memory, for adapters that are a CPU; see `conv1dDirect`.
 *
 *   y[t, o] = Σ_k Σ_i leaky(x[q, i]) · weight[o, k, i] + bias[o]   over the taps k with q · stride = t + pad − k, 0 ≤ q < framesIn
 *   out[r, o] = y[|r − shift|, o] + residual[r, o],   0 ≤ r < frames + shift
 *
 * One thread computes 4 rows that are `stride` apart, and so meet the same taps, × 4 output channels.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import {
  type TransposeConstants,
  transposeBindings,
  transposeParams,
  transposeReaders,
} from "./convTranspose1dFragments.js";
import { blockSums, multiplyBlock } from "./tileFragments.js";

/** Threads along rows and along channels. */
const THREADS = 8;

export const convTranspose1dDirect = defineKernel({
  name: "convTranspose1dDirect",
  bindings: transposeBindings,
  params: transposeParams,
  workgroups: ({ frames, channelsOut, stride, pad }) => [
    Math.ceil((frames + pad) / stride / (4 * THREADS)),
    Math.ceil(channelsOut / (4 * THREADS)),
    stride,
  ],
  variants: [
    { elem: "f32", vec: 4, residual: true },
    { elem: "f16", vec: 4, residual: false },
    { elem: "f16x2", vec: 1, residual: true },
  ] as TransposeConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(transposeBindings(constants), transposeParams)}
const THREADS = ${THREADS}u;

${transposeReaders(constants)}
/** leaky(x) of row q, or zeros where there is no such row. */
fn row4(q: i32, c4: u32) -> vec4f {
  let inside = q >= 0 && q < i32(params.framesIn);
  return select(0.0, 1.0, inside) * x4(select(0u, u32(q), inside), c4);
}

/** Stores 4 columns of the row of input position q. */
fn storeRow(q: u32, phase: u32, firstCol: u32, sums: vec4f) {
  let padded = q * params.stride + phase;
  if (padded < params.pad || padded - params.pad >= params.frames) { return; }
  let t = padded - params.pad;
  for (var c = 0u; c < 4u; c++) {
    let col = firstCol + c;
    if (col >= params.channelsOut) { return; }
    let y = sums[c] + bias[col];
    store(t + params.shift, col, y);
    if (t > 0u && t <= params.shift) { store(params.shift - t, col, y); }
  }
}

@compute @workgroup_size(THREADS, THREADS)
fn convTranspose1dDirect(@builtin(global_invocation_id) id: vec3u) {
  let row = 4u * id.x;
  let col = 4u * id.y;
  let phase = id.z;
  let lastCol = params.channelsOut - 1u;
  if (col > lastCol) { return; }
  // Columns past the end repeat the last one; they are not stored.
  let c0 = col * params.taps;
  let c1 = min(col + 1u, lastCol) * params.taps;
  let c2 = min(col + 2u, lastCol) * params.taps;
  let c3 = min(col + 3u, lastCol) * params.taps;
  ${blockSums}
  for (var tap = phase; tap < params.taps; tap += params.stride) {
    let q = i32(row) - i32(tap / params.stride);
    for (var i = 0u; i < params.stride4; i++) {
      let w0 = weight4((c0 + tap) * params.stride4 + i);
      let w1 = weight4((c1 + tap) * params.stride4 + i);
      let w2 = weight4((c2 + tap) * params.stride4 + i);
      let w3 = weight4((c3 + tap) * params.stride4 + i);
      let v0 = row4(q, i);
      let v1 = row4(q + 1, i);
      let v2 = row4(q + 2, i);
      let v3 = row4(q + 3, i);
      ${multiplyBlock}
    }
  }
  storeRow(row, phase, col, s0);
  storeRow(row + 1u, phase, col, s1);
  storeRow(row + 2u, phase, col, s2);
  storeRow(row + 3u, phase, col, s3);
}`,
});
