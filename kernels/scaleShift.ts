/**
 * A batch norm at inference, which is a factor and an offset for every channel, with or without a ReLU behind it:
 *
 *   out[r, c] = relu( x[r, c] · scale[c] + shift[c] )
 *
 * One invocation per `vec` channels of a row.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

export type ScaleShiftConstants = {
  /** 4 where `width` is a multiple of 4, else 1. */
  vec: 1 | 4;
  relu: boolean;
};

const WORKGROUP = 64;

const bindings = ({ vec }: ScaleShiftConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["rows", "width"] },
    scale: { access: "read", elem: "f32", vec, shape: ["width"] },
    shift: { access: "read", elem: "f32", vec, shape: ["width"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["rows", "width"] },
  }) as const;

const params = { rows: "u32", width: "u32" } as const;

export const scaleShift = defineKernel({
  name: "scaleShift",
  bindings,
  params,
  workgroups: ({ rows, width }, { vec }) => fold(Math.ceil((rows * width) / vec / WORKGROUP)),
  variants: [
    { vec: 4, relu: true },
    { vec: 1, relu: true },
    { vec: 4, relu: false },
    { vec: 1, relu: false },
  ] as ScaleShiftConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;
const VEC = ${constants.vec}u;
alias Item = ${constants.vec === 4 ? "vec4f" : "f32"};

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn scaleShift(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let columns = params.width / VEC;
  if (item >= params.rows * columns) { return; }
  let y = x[item] * scale[item % columns] + shift[item % columns];
#if ${constants.relu}
  out[item] = max(y, Item());
#else
  out[item] = y;
#endif
}`,
});
