/**
 * Rotary positions for the queries and keys of a whole sequence, in place. Dimension j of a head pairs with dimension j + half.
 *
 *   x1, x2 = x[t, p, h, j], x[t, p, h, half + j]        p = 0: query, 1: key; the values, p = 2, stay
 *   x[t, p, h, j]        = x1 · cos[t, j] − x2 · sin[t, j]
 *   x[t, p, h, half + j] = x2 · cos[t, j] + x1 · sin[t, j]
 *
 * One invocation per pair. The language model rotates into its cache instead: `ropeCache`.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

const WORKGROUP = 64;

const bindings = () =>
  ({
    /** q, k, v of all heads, one after the other. */
    qkv: { access: "read_write", elem: "f32", shape: ["frames", "6*heads*half"] },
    /** Cosine and sine. */
    table: { access: "read", elem: "f32", vec: 2, shape: ["frames", "half", 2] },
  }) as const;

/** half is half the width of a head. */
const params = { frames: "u32", heads: "u32", half: "u32" } as const;

export const rotary = defineKernel({
  name: "rotary",
  bindings,
  params,
  workgroups: ({ frames, heads, half }) => fold(Math.ceil((frames * 2 * heads * half) / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(bindings(), params)}
const WORKGROUP = ${WORKGROUP}u;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn rotary(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let pairs = 2u * params.heads * params.half; // of queries and keys in one frame
  let t = item / pairs;
  if (t >= params.frames) { return; }
  let j = item % params.half;
  let head = item % pairs / params.half; // keys follow the queries
  let at = t * 3u * pairs + head * 2u * params.half + j;
  let x1 = qkv[at];
  let x2 = qkv[at + params.half];
  let turn = table[t * params.half + j];
  qkv[at] = x1 * turn.x - x2 * turn.y;
  qkv[at + params.half] = x2 * turn.x + x1 * turn.y;
}`,
});
