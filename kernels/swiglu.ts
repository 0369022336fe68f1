/**
 * The gate of a SwiGLU feed-forward, for many rows.
 *
 *   out[r, f] = silu(x[r, f]) · x[r, ffn + f]
 *
 * Each row of x holds the gate, then the up projection. Decoding has this inside `matvec` instead.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

export type SwigluConstants = {
  /** 4 where `ffn` is a multiple of 4, else 1. */
  vec: 1 | 4;
};

const WORKGROUP = 64;

const bindings = ({ vec }: SwigluConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["rows", "2*ffn"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["rows", "ffn"] },
  }) as const;

const params = { rows: "u32", ffn: "u32" } as const;

export const swiglu = defineKernel({
  name: "swiglu",
  bindings,
  params,
  workgroups: ({ rows, ffn }, { vec }) => fold(Math.ceil((rows * ffn) / vec / WORKGROUP)),
  variants: [{ vec: 4 }, { vec: 1 }] as SwigluConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;
const VEC = ${constants.vec}u;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn swiglu(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let items = params.ffn / VEC;
  let row = item / items;
  if (row >= params.rows) { return; }
  let gate = x[item + row * items];
  let up = x[item + row * items + items];
#if ${constants.vec === 4}
  out[item] = gate / (1.0 + exp(-max(gate, vec4f(-80.0)))) * up;
#else
  out[item] = gate / (1.0 + exp(-max(gate, -80.0))) * up;
#endif
}`,
});
