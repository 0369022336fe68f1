/**
 * The Snake activation with one frequency per channel (Ziyin et al., 2020), channel last.
 *
 *   out[t, c] = x[t, c] + sin²(alpha[c] · x[t, c]) / (alpha[c] + 1e-9)
 *
 * alpha · x can be far outside the range where WGSL's own sine is specified, so it is reduced first.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";
import { sine } from "./fragments.js";

export type SnakeConstants = {
  /** 4 where `channels` is a multiple of 4, else 1. */
  vec: 1 | 4;
};

const WORKGROUP = 64;

const bindings = ({ vec }: SnakeConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["frames", "channels"] },
    alpha: { access: "read", elem: "f32", vec, shape: ["channels"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["frames", "channels"] },
  }) as const;

const params = { frames: "u32", channels: "u32" } as const;

export const snake = defineKernel({
  name: "snake",
  bindings,
  params,
  workgroups: ({ frames, channels }, { vec }) => fold(Math.ceil((frames * channels) / vec / WORKGROUP)),
  variants: [{ vec: 4 }, { vec: 1 }] as SnakeConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;
const VEC = ${constants.vec}u;
alias Item = ${constants.vec === 4 ? "vec4f" : "f32"};

${flatGroup}
${sine("Item")}

@compute @workgroup_size(WORKGROUP)
fn snake(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = flatGroup(group) * WORKGROUP + lane;
  let width = params.channels / VEC;
  if (at >= params.frames * width) { return; }
  let a = alpha[at % width];
  let v = x[at];
  let s = sine(a * v);
  out[at] = v + s * s / (a + 1e-9);
}`,
});
