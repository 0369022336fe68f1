/**
 * Token ids to rows of an embedding table.
 *
 *   out[outRow + t, :] = table[ids[firstId + t], :]
 *
 * A table longer than a binding lies in pieces; one dispatch per piece writes only the rows whose id lies in it. A negative id
 * reads row 0, one past the end the last row. The ids come from a buffer, so that a decoding step can be replayed.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";
import { openWeight, type WeightElem } from "./fragments.js";

export type EmbedConstants = {
  elem: WeightElem;
  /** 4 where `width` is a multiple of 4, else 1. */
  vec: 1 | 4;
};

const WORKGROUP = 64;

const bindings = ({ elem, vec }: EmbedConstants) =>
  ({
    ids: { access: "read", elem: "i32", shape: ["firstId+count"], atLeast: true },
    table: { access: "read", elem, vec: 4, shape: ["pieceRows", "stride4", 4] },
    out: { access: "read_write", elem: "f32", vec, shape: ["outRow*width+count*width"], atLeast: true },
  }) as const;

/** The piece holds rows firstRow .. firstRow + pieceRows of `tableRows`; stride4 is ceil(width / 4). */
const params = {
  firstId: "u32",
  count: "u32",
  outRow: "u32",
  width: "u32",
  stride4: "u32",
  firstRow: "u32",
  pieceRows: "u32",
  tableRows: "u32",
} as const;

export const embed = defineKernel({
  name: "embed",
  bindings,
  params,
  workgroups: ({ count, stride4 }) => fold(Math.ceil((count * stride4) / WORKGROUP)),
  variants: [
    { elem: "f32", vec: 4 },
    { elem: "f16", vec: 4 },
    { elem: "f16x2", vec: 4 },
    { elem: "f16x2", vec: 1 },
  ] as EmbedConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;

${flatGroup}
${openWeight("table", constants.elem)}

@compute @workgroup_size(WORKGROUP)
fn embed(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let t = item / params.stride4;
  let k4 = item % params.stride4;
  if (t >= params.count) { return; }
  let row = min(u32(max(ids[params.firstId + t], 0)), params.tableRows - 1u);
  if (row < params.firstRow || row - params.firstRow >= params.pieceRows) { return; }
  let v = table4((row - params.firstRow) * params.stride4 + k4);
#if ${constants.vec === 4}
  out[(params.outRow + t) * params.stride4 + k4] = v;
#else
  for (var i = 0u; i < 4u; i++) {
    let k = 4u * k4 + i;
    if (k < params.width) { out[(params.outRow + t) * params.width + k] = v[i]; }
  }
#endif
}`,
});
