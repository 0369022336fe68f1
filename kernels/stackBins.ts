/**
 * Puts neighbouring bins side by side as channels, so that a two-dimensional convolution becomes one over frames:
 *
 *   out[h, t, k · channels + c] = x[h · stride + k − padLow, t, c]        and 0 where that is no bin of x
 *
 * One invocation per `vec` channels of an input bin. With as many taps as there are bins, and no padding, it turns [H, T, C] into
 * [T, H · C].
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

export type StackBinsConstants = {
  /** 4 where `channels` is a multiple of 4, else 1. */
  vec: 1 | 4;
};

const WORKGROUP = 64;

const bindings = ({ vec }: StackBinsConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["binsIn", "frames", "channels"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["binsOut", "frames", "taps*channels"] },
  }) as const;

const params = {
  binsIn: "u32",
  binsOut: "u32",
  frames: "u32",
  channels: "u32",
  taps: "u32",
  stride: "u32",
  padLow: "u32",
} as const;

export const stackBins = defineKernel({
  name: "stackBins",
  bindings,
  params,
  workgroups: ({ binsOut, frames, channels, taps }, { vec }) =>
    fold(Math.ceil((binsOut * frames * taps * channels) / vec / WORKGROUP)),
  variants: [{ vec: 4 }, { vec: 1 }] as StackBinsConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;
const VEC = ${constants.vec}u;
alias Item = ${constants.vec === 4 ? "vec4f" : "f32"};

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn stackBins(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let columns = params.channels / VEC;
  let row = item / (params.taps * columns);
  let k = item / columns % params.taps;
  let h = row / params.frames;
  let t = row % params.frames;
  if (h >= params.binsOut) { return; }
  let bin = i32(h * params.stride + k) - i32(params.padLow);
  var v = Item();
  if (bin >= 0 && bin < i32(params.binsIn)) { v = x[(u32(bin) * params.frames + t) * columns + item % columns]; }
  out[item] = v;
}`,
});
