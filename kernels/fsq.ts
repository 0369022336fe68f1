/**
 * Finite scalar quantisation with three levels: every projected frame becomes the number whose ternary digits are the levels of its
 * dimensions, the first one least significant.
 *
 *   q[t, d] = round( tanh(hidden[t, d]) · 0.9990000128746033 ) + 1  ∈ {0, 1, 2}        ids[t] = Σ_d q[t, d] · 3^d
 *
 * The scaled tanh rounds away from 0 where |hidden| exceeds EDGE, so two comparisons take its place: they need no `tanh`, whose error
 * WGSL leaves open, and powers of 3 stay whole numbers. One invocation per frame.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

const WORKGROUP = 64;

/** Where the scaled tanh is a half: about 0.55. */
export const FSQ_EDGE = Math.atanh(0.5 / 0.9990000128746033);

const bindings = () =>
  ({
    hidden: { access: "read", elem: "f32", shape: ["frames", "dims"] },
    ids: { access: "read_write", elem: "u32", shape: ["frames"] },
  }) as const;

const params = { frames: "u32", dims: "u32" } as const;

export const fsq = defineKernel({
  name: "fsq",
  bindings,
  params,
  workgroups: ({ frames }) => fold(Math.ceil(frames / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(bindings(), params)}
const WORKGROUP = ${WORKGROUP}u;
const EDGE = ${FSQ_EDGE};

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn fsq(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let frame = flatGroup(group) * WORKGROUP + lane;
  if (frame >= params.frames) { return; }
  var id = 0u;
  var power = 1u;
  for (var d = 0u; d < params.dims; d++) {
    let p = hidden[frame * params.dims + d];
    id += power * (1u + select(0u, 1u, p > EDGE) - select(0u, 1u, p < -EDGE));
    power *= 3u;
  }
  ids[frame] = id;
}`,
});
