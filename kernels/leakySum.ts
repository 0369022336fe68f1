/**
 * Sum of two tensors, scaled, with a leaky ReLU behind: the mean of the residual blocks of one stage, two at a time.
 *
 *   out[i] = leaky( scale · (a[i] + b[i]) ),  leaky(v) = v > 0 ? v : slope · v
 *
 * A slope of 1 leaves the sum as it is; one of 0 is a ReLU, as behind the residual blocks of the speaker encoder.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

export type LeakySumConstants = {
  /** 4 where `count` is a multiple of 4, else 1. */
  vec: 1 | 4;
};

const WORKGROUP = 64;

const bindings = ({ vec }: LeakySumConstants) =>
  ({
    a: { access: "read", elem: "f32", vec, shape: ["count"] },
    b: { access: "read", elem: "f32", vec, shape: ["count"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["count"] },
  }) as const;

const params = { count: "u32", scale: "f32", slope: "f32" } as const;

export const leakySum = defineKernel({
  name: "leakySum",
  bindings,
  params,
  workgroups: ({ count }, { vec }) => fold(Math.ceil(count / vec / WORKGROUP)),
  variants: [{ vec: 4 }, { vec: 1 }] as LeakySumConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;
const VEC = ${constants.vec}u;
alias Item = ${constants.vec === 4 ? "vec4f" : "f32"};

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn leakySum(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = flatGroup(group) * WORKGROUP + lane;
  if (at >= params.count / VEC) { return; }
  let v = params.scale * (a[at] + b[at]);
  out[at] = select(params.slope * v, v, v > Item());
}`,
});
