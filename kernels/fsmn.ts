/**
 * The memory of the speech tokenizer's attention (FSMN): a depthwise convolution over the frames of the values, and the values
 * themselves, added to the residual stream.
 *
 *   v[t, c]   = qkv[t, 2 · width + c]
 *   out[t, c] = residual[t, c] + v[t, c] + Σ_k weight[k, c] · v[t + k − padLeft, c]        v is 0 outside the sequence
 *
 * One invocation per frame and `vec` channels.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

export type FsmnConstants = {
  /** 4 where `width` is a multiple of 4, else 1. */
  vec: 1 | 4;
};

const WORKGROUP = 64;

const bindings = ({ vec }: FsmnConstants) =>
  ({
    /** q, k, v one after the other. */
    qkv: { access: "read", elem: "f32", vec, shape: ["frames", "3*width"] },
    weight: { access: "read", elem: "f32", vec, shape: ["taps", "width"] },
    residual: { access: "read", elem: "f32", vec, shape: ["frames", "width"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["frames", "width"] },
  }) as const;

const params = { frames: "u32", width: "u32", taps: "u32", padLeft: "u32" } as const;

export const fsmn = defineKernel({
  name: "fsmn",
  bindings,
  params,
  workgroups: ({ frames, width }, { vec }) => fold(Math.ceil((frames * width) / vec / WORKGROUP)),
  variants: [{ vec: 4 }, { vec: 1 }] as FsmnConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;
const VEC = ${constants.vec}u;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn fsmn(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let columns = params.width / VEC;
  let t = item / columns;
  let c = item % columns;
  if (t >= params.frames) { return; }
  let values = 2u * columns + c; // column of v in a row of qkv
  // Taps that meet the sequence: 0 ≤ t + k − padLeft < frames.
  let first = max(params.padLeft, t) - t;
  let last = min(params.taps, params.frames + params.padLeft - t);
  var sum = residual[item] + qkv[t * 3u * columns + values];
  for (var k = first; k < last; k++) {
    sum += weight[k * columns + c] * qkv[(t + k - params.padLeft) * 3u * columns + values];
  }
  out[item] = sum;
}`,
});
