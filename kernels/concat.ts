/**
 * Two tensors side by side along the channels: out[r] = [a[r], b[r]].
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

const WORKGROUP = 64;

const bindings = () =>
  ({
    a: { access: "read", elem: "f32", shape: ["rows", "widthA"] },
    b: { access: "read", elem: "f32", shape: ["rows", "widthB"] },
    out: { access: "read_write", elem: "f32", shape: ["rows", "widthA+widthB"] },
  }) as const;

const params = { rows: "u32", widthA: "u32", widthB: "u32" } as const;

export const concat = defineKernel({
  name: "concat",
  bindings,
  params,
  workgroups: ({ rows, widthA, widthB }) => fold(Math.ceil((rows * (widthA + widthB)) / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(bindings(), params)}
const WORKGROUP = ${WORKGROUP}u;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn concat(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let width = params.widthA + params.widthB;
  let row = item / width;
  let col = item % width;
  if (row >= params.rows) { return; }
  if (col < params.widthA) { out[item] = a[row * params.widthA + col]; }
  else { out[item] = b[row * params.widthB + col - params.widthA]; }
}`,
});
