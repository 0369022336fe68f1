/**
 * Root-mean-square norm of rows.
 *
 *   out[r, k] = x[r, k] · weight[k] / sqrt(mean_k x[r, k]² + eps)
 *
 * One workgroup per row; every lane adds up the lanes' squares, which saves the barriers of a tree. Decoding has the norm inside `matvec` instead.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

export type RmsNormConstants = {
  /** 4 where `width` is a multiple of 4, else 1. */
  vec: 1 | 4;
};

const bindings = ({ vec }: RmsNormConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["rows", "width"] },
    weight: { access: "read", elem: "f32", vec, shape: ["width"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["rows", "width"] },
  }) as const;

const params = { rows: "u32", width: "u32", eps: "f32" } as const;

export const rmsNorm = defineKernel({
  name: "rmsNorm",
  bindings,
  params,
  workgroups: ({ rows }) => fold(rows),
  variants: [{ vec: 4 }, { vec: 1 }] as RmsNormConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = 32u;
const VEC = ${constants.vec}u;
var<workgroup> squares: array<f32, WORKGROUP>;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn rmsNorm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = flatGroup(group);
  if (row >= params.rows) { return; }
  let items = params.width / VEC;
  let first = row * items;
  var square = 0.0;
  for (var k = lane; k < items; k += WORKGROUP) {
    let v = x[first + k];
#if ${constants.vec === 4}
    square += dot(v, v);
#else
    square += v * v;
#endif
  }
  squares[lane] = square;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < WORKGROUP; i++) { sum += squares[i]; }
  let scale = inverseSqrt(sum / f32(params.width) + params.eps);
  for (var k = lane; k < items; k += WORKGROUP) { out[first + k] = x[first + k] * scale * weight[k]; }
}`,
});
