/**
 * One-dimensional transposed convolution over frames, channel last, as one implicit matrix product for every phase of the stride,
 * with the leaky ReLU in front and the residual behind in the same pass.
 *
 *   y[t, o] = Σ_k Σ_i leaky(x[q, i]) · weight[o, k, i] + bias[o]   over the taps k with q · stride = t + pad − k, 0 ≤ q < framesIn
 *   out[r, o] = y[|r − shift|, o] + residual[r, o],   0 ≤ r < frames + shift
 *
 * Outputs whose t + pad leaves the same rest by the stride meet the same taps: a workgroup takes a tile of such rows × channels.
 * `shift` is a reflection pad in front: out[0] = y[1] for a shift of 1 (HiFT's last stage).
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import {
  type TransposeConstants,
  transposeBindings,
  transposeParams,
  transposeReaders,
} from "./convTranspose1dFragments.js";
import { multiplyTile, tileMemory } from "./tileFragments.js";

export type ConvTranspose1dConstants = TransposeConstants & {
  /** Threads along rows and along channels; the tile is 4 times that. */
  threads: 8 | 16;
};

export const convTranspose1d = defineKernel({
  name: "convTranspose1d",
  bindings: transposeBindings,
  params: transposeParams,
  workgroups: ({ frames, channelsOut, stride, pad }, { threads }) => [
    Math.ceil((frames + pad) / stride / (4 * threads)),
    Math.ceil(channelsOut / (4 * threads)),
    stride,
  ],
  variants: [
    { elem: "f32", vec: 4, residual: true, threads: 8 },
    { elem: "f32", vec: 1, residual: false, threads: 16 },
    { elem: "f16", vec: 4, residual: true, threads: 16 },
    { elem: "f16x2", vec: 1, residual: true, threads: 8 },
  ] as ConvTranspose1dConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(transposeBindings(constants), transposeParams)}
${tileMemory(constants.threads)}

${transposeReaders(constants)}
@compute @workgroup_size(THREADS, THREADS)
fn convTranspose1d(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
                   @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.x * TILE;
  let firstCol = group.y * TILE;
  let phase = group.z;
  var sums: array<vec4f, 4>;
  for (var tap = phase; tap < params.taps; tap += params.stride) {
    let back = tap / params.stride; // rows between the output and the input this tap joins
    for (var c0 = 0u; c0 < params.stride4; c0 += STEP) {
      for (var n = 0u; n < ITEMS; n++) {
        let item = lane + n * THREADS * THREADS;
        let c4 = c0 + item % STEP;
        let row = firstRow + item / STEP;
        let col = firstCol + item / STEP;
        var v = vec4f();
        if (row >= back && row - back < params.framesIn && c4 < params.stride4) { v = x4(row - back, c4); }
        var w = vec4f();
        if (col < params.channelsOut && c4 < params.stride4) {
          w = weight4((col * params.taps + tap) * params.stride4 + c4);
        }
        xTile[item % STEP * PITCH + item / STEP] = v;
        wTile[item % STEP * PITCH + item / STEP] = w;
      }
      ${multiplyTile}
    }
  }
  for (var r = 0u; r < 4u; r++) {
    let padded = (firstRow + local.y + r * THREADS) * params.stride + phase;
    if (padded < params.pad || padded - params.pad >= params.frames) { continue; }
    let t = padded - params.pad;
    for (var c = 0u; c < 4u; c++) {
      let col = firstCol + local.x + c * THREADS;
      if (col >= params.channelsOut) { continue; }
      let y = sums[r][c] + bias[col];
      store(t + params.shift, col, y);
      if (t > 0u && t <= params.shift) { store(params.shift - t, col, y); }
    }
  }
}`,
});
