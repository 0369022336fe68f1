/**
 * Rotates the queries and keys of many new rows and puts keys and values into the cache: what comes before `cachedAttention` when
 * a prompt is read.
 *
 *   q[t, h]              = rot(qkv[t, h], position + t)
 *   keys[position + t]   = rot(qkv[t, heads + g], position + t)
 *   values[position + t] = qkv[t, heads + kvHeads + g]
 *
 * One invocation per row, head and four columns. Decoding does this inside `cachedAttention`.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";
import { cacheBindings, cacheIndex, cacheParams, placeOf, rotate, storeCache } from "./cacheFragments.js";

export type RopeCacheConstants = { headDim: number };

const WORKGROUP = 64;

const bindings = ({ headDim }: RopeCacheConstants) =>
  ({
    qkv: { access: "read", elem: "f32", shape: ["rows", "heads*headDim+2*kvHeads*headDim"] },
    /** [position of row 0, ...]: see `draw`. */
    state: { access: "read", elem: "i32", shape: [4] },
    rope: { access: "read", elem: "f32", vec: 2, shape: ["rows", headDim], atLeast: true },
    q: { access: "read_write", elem: "f32", shape: ["rows", "heads*headDim"] },
    ...cacheBindings("read_write", headDim),
  }) as const;

const params = { rows: "u32", heads: "u32", kvHeads: "u32", ...cacheParams } as const;

export const ropeCache = defineKernel({
  name: "ropeCache",
  bindings,
  params,
  workgroups: ({ rows, heads, kvHeads }, { headDim }) =>
    fold(Math.ceil((rows * (heads + 2 * kvHeads) * Math.ceil(headDim / 4)) / WORKGROUP)),
  variants: [{ headDim: 64 }, { headDim: 6 }] as RopeCacheConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${WORKGROUP}u;
const D = ${constants.headDim}u;
const HALF = D / 2u;
const D4 = (D + 3u) / 4u;

${flatGroup}
${placeOf}
${cacheIndex}
${storeCache}
${rotate("qkv")}

@compute @workgroup_size(WORKGROUP)
fn ropeCache(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let d4 = item % D4;
  let slots = params.heads + 2u * params.kvHeads;
  let slot = item / D4 % slots;
  let t = item / D4 / slots;
  if (t >= params.rows) { return; }
  let position = u32(state[0]) + t;
  let first = (t * slots + slot) * D;
  let at = placeOf(position);
  let isQuery = slot < params.heads;
  let isKey = !isQuery && slot < params.heads + params.kvHeads;
  var v: vec4f;
  for (var i = 0u; i < 4u; i++) {
    let d = 4u * d4 + i;
    if (isQuery || isKey) { v[i] = rotated(first, d, position); } else if (d < D) { v[i] = qkv[first + d]; }
  }
  if (isQuery) {
    for (var i = 0u; i < min(4u, D - 4u * d4); i++) { q[(t * params.heads + slot) * D + 4u * d4 + i] = v[i]; }
  } else if (isKey) {
    store(at.segment, keyIndex(at, slot - params.heads, d4), v);
  } else {
    store(at.segment, valueIndex(at, slot - params.heads - params.kvHeads, d4), v);
  }
}`,
});
