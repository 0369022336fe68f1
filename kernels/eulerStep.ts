/**
 * One Euler step of the flow under classifier-free guidance, in place.
 *
 *   v = (1 + guidance) · velocity[0] − guidance · velocity[1]        x += dt[step] · v
 *
 * The step is the number in `state`, which changes between replays.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

const WORKGROUP = 64;

const bindings = () =>
  ({
    velocity: { access: "read", elem: "f32", shape: [2, "count"] },
    dt: { access: "read", elem: "f32", shape: ["steps"] },
    state: { access: "read", elem: "u32", shape: [1] },
    x: { access: "read_write", elem: "f32", shape: ["count"] },
  }) as const;

const params = { count: "u32", steps: "u32", guidance: "f32" } as const;

export const eulerStep = defineKernel({
  name: "eulerStep",
  bindings,
  params,
  workgroups: ({ count }) => fold(Math.ceil(count / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(bindings(), params)}
const WORKGROUP = ${WORKGROUP}u;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn eulerStep(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  if (item >= params.count) { return; }
  let v = (1.0 + params.guidance) * velocity[item] - params.guidance * velocity[params.count + item];
  x[item] += dt[min(state[0], params.steps - 1u)] * v;
}`,
});
