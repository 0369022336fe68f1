/**
 * One-dimensional convolution over frames, channel last, as an implicit matrix product, with bias, activation and residual in the
 * same pass.
 *
 *   out[b, t, o] = residual[b, t, o] + activate( Σ_k Σ_i x[b, p, i] · weight[o, k, i] + bias[o] )
 *   p = floor((t · stride + k · dilation − padLeft) / upsample), and x is 0 outside 0 ≤ p < framesIn
 *
 * `padLeft` and the number of output frames say everything about padding: a causal convolution has padLeft = (taps − 1) · dilation and
 * framesOut = framesIn; a look-ahead has padLeft 0. `upsample` repeats every input frame so many times before the convolution.
 *
 * One workgroup computes a tile of (batch, frame) rows × output channels. A thread's 4 × 4 block is spread over the tile, THREADS
 * apart, so that neighbouring threads touch neighbouring words of workgroup memory and of the output.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import { type ConvConstants, convBindings, convParams, convReaders } from "./conv1dFragments.js";
import { multiplyTile, tileMemory } from "./tileFragments.js";

export type Conv1dConstants = ConvConstants & {
  /** Threads along rows and along channels; the tile is 4 times that. */
  threads: 8 | 16;
};

export const conv1d = defineKernel({
  name: "conv1d",
  bindings: convBindings,
  params: convParams,
  workgroups: ({ batch, framesOut, channelsOut }, { threads }) => [
    Math.ceil((batch * framesOut) / (4 * threads)),
    Math.ceil(channelsOut / (4 * threads)),
    1,
  ],
  variants: [
    { elem: "f32", vec: 4, activation: "none", bias: true, residual: false, upsample: 1, threads: 8 },
    { elem: "f32", vec: 1, activation: "elu", bias: true, residual: false, upsample: 1, threads: 8 },
    { elem: "f16x2", vec: 4, activation: "none", bias: true, residual: true, upsample: 1, threads: 8 },
    { elem: "f16", vec: 4, activation: "leakyRelu", bias: true, residual: false, upsample: 1, threads: 16 },
    { elem: "f32", vec: 4, activation: "none", bias: true, residual: false, upsample: 2, threads: 16 },
    { elem: "f16x2", vec: 1, activation: "none", bias: false, residual: true, upsample: 2, threads: 16 },
  ] as Conv1dConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(convBindings(constants), convParams)}
const UPSAMPLE = ${constants.upsample}u;
${tileMemory(constants.threads)}

${convReaders(constants)}
@compute @workgroup_size(THREADS, THREADS)
fn conv1d(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let rows = params.batch * params.framesOut;
  let firstRow = group.x * TILE;
  let firstCol = group.y * TILE;
  // Of the rows this thread loads: the first input frame of the row's batch, and the row's position before the tap is added.
  var batchFrame: array<u32, ITEMS>;
  var position: array<i32, ITEMS>;
  for (var n = 0u; n < ITEMS; n++) {
    let row = firstRow + (lane + n * THREADS * THREADS) / STEP;
    let b = row / params.framesOut;
    batchFrame[n] = b * params.framesIn;
    position[n] = i32((row - b * params.framesOut) * params.stride) - i32(params.padLeft);
  }
  var sums: array<vec4f, 4>;
  for (var tap = 0u; tap < params.taps; tap++) {
    for (var c0 = 0u; c0 < params.stride4; c0 += STEP) {
      for (var n = 0u; n < ITEMS; n++) {
        let item = lane + n * THREADS * THREADS;
        let c4 = c0 + item % STEP;
        let p = position[n] + i32(tap * params.dilation);
        let frame = u32(max(p, 0)) / UPSAMPLE;
        let col = firstCol + item / STEP;
        var v = vec4f();
        if (p >= 0 && frame < params.framesIn && firstRow + item / STEP < rows && c4 < params.stride4) {
          v = x4(batchFrame[n] + frame, c4);
        }
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
    let row = firstRow + local.y + r * THREADS;
    for (var c = 0u; c < 4u; c++) {
      let col = firstCol + local.x + c * THREADS;
      if (row >= rows || col >= params.channelsOut) { continue; }
      var y = sums[r][c];
#if ${constants.bias}
      y += bias[col];
#endif
      y = activate(y);
#if ${constants.residual}
      y += residual[row * params.channelsOut + col];
#endif
      out[row * params.channelsOut + col] = y;
    }
  }
}`,
});
