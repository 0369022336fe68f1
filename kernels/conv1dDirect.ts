/**
 * The convolution of `conv1d` without workgroup memory, for adapters that are a CPU: their barriers cost more than reading an operand
 * again from cache.
 *
 *   out[b, t, o] = residual[b, t, o] + activate( Σ_k Σ_i x[b, p, i] · weight[o, k, i] + bias[o] )
 *   p = floor((t · stride + k · dilation − padLeft) / upsample), and x is 0 outside 0 ≤ p < framesIn
 *
 * One thread computes 4 (batch, frame) rows × 4 output channels. Its sums are four named vectors: an array would be indexed memory.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import { type ConvConstants, convBindings, convParams, convReaders } from "./conv1dFragments.js";
import { blockSums, multiplyBlock } from "./tileFragments.js";

/** Threads along rows and along channels. */
const THREADS = 8;

export const conv1dDirect = defineKernel({
  name: "conv1dDirect",
  bindings: convBindings,
  params: convParams,
  workgroups: ({ batch, framesOut, channelsOut }) => [
    Math.ceil((batch * framesOut) / (4 * THREADS)),
    Math.ceil(channelsOut / (4 * THREADS)),
    1,
  ],
  variants: [
    { elem: "f32", vec: 4, activation: "none", bias: true, residual: true, upsample: 1 },
    { elem: "f32", vec: 1, activation: "elu", bias: true, residual: false, upsample: 1 },
    { elem: "f32", vec: 4, activation: "relu", bias: true, residual: false, upsample: 1 },
    { elem: "f16", vec: 4, activation: "none", bias: true, residual: false, upsample: 1 },
    { elem: "f16x2", vec: 4, activation: "leakyRelu", bias: false, residual: true, upsample: 2 },
  ] as ConvConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(convBindings(constants), convParams)}
const THREADS = ${THREADS}u;
const UPSAMPLE = ${constants.upsample}u;

${convReaders(constants)}
/** A row's first input frame (its batch's) and its position before the tap is added. */
struct Row { first: u32, position: i32 }

fn rowOf(row: u32) -> Row {
  let b = row / params.framesOut;
  return Row(b * params.framesIn, i32((row - b * params.framesOut) * params.stride) - i32(params.padLeft));
}

/** The input frame of a row at a tap, and 1, or a frame that exists and 0. */
struct Frame { at: u32, inside: f32 }

fn frameOf(row: Row, offset: u32) -> Frame {
  let p = row.position + i32(offset);
  let frame = u32(max(p, 0)) / UPSAMPLE;
  let inside = p >= 0 && frame < params.framesIn;
  return Frame(row.first + select(0u, frame, inside), select(0.0, 1.0, inside));
}

fn store(row: u32, firstCol: u32, sums: vec4f) {
  if (row >= params.batch * params.framesOut) { return; }
  for (var c = 0u; c < 4u; c++) {
    let col = firstCol + c;
    if (col >= params.channelsOut) { return; }
    var y = sums[c];
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

@compute @workgroup_size(THREADS, THREADS)
fn conv1dDirect(@builtin(global_invocation_id) id: vec3u) {
  let row = 4u * id.x;
  let col = 4u * id.y;
  let lastRow = params.batch * params.framesOut - 1u;
  let lastCol = params.channelsOut - 1u;
  if (row > lastRow || col > lastCol) { return; }
  // Rows and columns past the end repeat the last one; they are not stored.
  let r0 = rowOf(row);
  let r1 = rowOf(min(row + 1u, lastRow));
  let r2 = rowOf(min(row + 2u, lastRow));
  let r3 = rowOf(min(row + 3u, lastRow));
  let c0 = col * params.taps;
  let c1 = min(col + 1u, lastCol) * params.taps;
  let c2 = min(col + 2u, lastCol) * params.taps;
  let c3 = min(col + 3u, lastCol) * params.taps;
  ${blockSums}
  for (var tap = 0u; tap < params.taps; tap++) {
    let offset = tap * params.dilation;
    let f0 = frameOf(r0, offset);
    let f1 = frameOf(r1, offset);
    let f2 = frameOf(r2, offset);
    let f3 = frameOf(r3, offset);
    for (var i = 0u; i < params.stride4; i++) {
      let w0 = weight4((c0 + tap) * params.stride4 + i);
      let w1 = weight4((c1 + tap) * params.stride4 + i);
      let w2 = weight4((c2 + tap) * params.stride4 + i);
      let w3 = weight4((c3 + tap) * params.stride4 + i);
      let v0 = f0.inside * x4(f0.at, i);
      let v1 = f1.inside * x4(f1.at, i);
      let v2 = f2.inside * x4(f2.at, i);
      let v3 = f3.inside * x4(f3.at, i);
      ${multiplyBlock}
    }
  }
  store(row, col, s0);
  store(row + 1u, col, s1);
  store(row + 2u, col, s2);
  store(row + 3u, col, s3);
}`,
});
