/**
 * Causal grouped-query attention over the key/value cache: row t stands at position p = position + t and sees 0 .. p.
 *
 *   out[t, h] = Σ_j softmax_j( q[t, h] · key[j, g] / √headDim ) · value[j, g],   g = ⌊h · kvHeads / heads⌋,  j ≤ p
 *
 * `fresh` is the decoding step: the one row comes as qkv, unrotated and not yet in the cache. Every query head turns its own query
 * and the new key, and uses both from workgroup memory; the first head of a group also stores key and value. So no workgroup reads
 * what another one writes. Without `fresh`, `ropeCache` has run before: q is rotated and the cache holds all positions.
 *
 * One workgroup per row and head; positions in chunks with a running softmax. Lanes take positions for the scores, then columns
 * (and every ROWS-th position) for the values.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import {
  cacheBindings,
  cacheParams,
  readCache,
  rotate,
  SEGMENTS,
  segmentLength,
  storeCache,
} from "./cacheFragments.js";

export type CachedAttentionConstants = { fresh: boolean; headDim: number };

const LANES = 128;
/** Widest head: a lane holds four columns. */
export const MAX_HEAD_DIM = 4 * LANES;

const bindings = ({ fresh, headDim }: CachedAttentionConstants) =>
  ({
    q: {
      access: "read",
      elem: "f32",
      shape: ["rows", fresh ? "heads*headDim+2*kvHeads*headDim" : "heads*headDim"],
    },
    /** [position of row 0, ...]: see `draw`. */
    state: { access: "read", elem: "i32", shape: [4] },
    out: { access: "read_write", elem: "f32", shape: ["rows", "heads*headDim"] },
    ...cacheBindings(fresh ? "read_write" : "read", headDim),
    ...(fresh
      ? { rope: { access: "read", elem: "f32", vec: 2, shape: ["rows", headDim], atLeast: true } as const }
      : {}),
  }) as const;

/** `rows` is 1 with `fresh`. */
const params = { rows: "u32", heads: "u32", kvHeads: "u32", ...cacheParams } as const;

export const cachedAttention = defineKernel({
  name: "cachedAttention",
  bindings,
  params,
  workgroups: ({ rows, heads }) => [heads, rows, 1],
  variants: [
    { fresh: true, headDim: 64 },
    { fresh: false, headDim: 64 },
    { fresh: true, headDim: 6 },
    { fresh: false, headDim: 6 },
  ] as CachedAttentionConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const LANES = ${LANES}u;
const D = ${constants.headDim}u;
const HALF = D / 2u;
const D4 = (D + 3u) / 4u;
const ROWS = LANES / D4;
const CHUNK = 1024u;
/** Reductions go over LANES in two steps: a barrier costs more than a few reads of workgroup memory. */
const GROUPS = 8u;
const SEGMENTS = ${SEGMENTS}u;
const LOWEST = -3e38;
var<workgroup> query: array<vec4f, D4>;
var<workgroup> newKey: array<vec4f, D4>;
var<workgroup> scores: array<f32, CHUNK>;
var<workgroup> reduced: array<f32, LANES>;
var<workgroup> mixed: array<vec4f, LANES>;

${segmentLength}
${readCache}
#if ${constants.fresh}
${storeCache}
${rotate("q")}
#endif

@compute @workgroup_size(LANES)
fn cachedAttention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  let row = group.y;
  let kvHead = head * params.kvHeads / params.heads;
  let position = u32(state[0]) + row;
  let scale = inverseSqrt(f32(D));
  var top = LOWEST;
  var total = 0.0;
  var mix = vec4f();
#if ${constants.fresh}
  let count = position;
  let keyFirst = (params.heads + kvHead) * D;
  let valueFirst = keyFirst + params.kvHeads * D;
  if (lane < D4) {
    let key = rotated4(keyFirst, lane, position);
    query[lane] = rotated4(head * D, lane, position) * scale;
    newKey[lane] = key;
    mix = plain4(valueFirst, lane);
    if (head % (params.heads / params.kvHeads) == 0u) {
      storeKey(position, kvHead, lane, key);
      storeValue(position, kvHead, lane, mix);
    }
  }
  workgroupBarrier();
  top = 0.0;
  for (var d4 = 0u; d4 < D4; d4++) { top += dot(query[d4], newKey[d4]); }
  total = select(0.0, 1.0, lane == 0u);
#else
  let count = position + 1u;
  let first = (row * params.heads + head) * D;
  if (lane < D4) {
    var v = vec4f();
    for (var i = 0u; i < 4u; i++) { if (4u * lane + i < D) { v[i] = q[first + 4u * lane + i]; } }
    query[lane] = v * scale;
  }
  workgroupBarrier();
#endif

  var start = 0u;
  for (var s = 0u; s < SEGMENTS; s++) {
    let length = segmentLength(s);
    let filled = min(length, count - min(count, start));
    for (var chunk = 0u; chunk < filled; chunk += CHUNK) {
      let n = min(CHUNK, filled - chunk);
      reduced[lane] = max(top, scoreRows(s, kvHead, chunk, n, lane));
      workgroupBarrier();
      if (lane < GROUPS) {
        for (var i = lane + GROUPS; i < LANES; i += GROUPS) { reduced[lane] = max(reduced[lane], reduced[i]); }
      }
      workgroupBarrier();
      var newTop = reduced[0];
      for (var i = 1u; i < GROUPS; i++) { newTop = max(newTop, reduced[i]); }
      let fade = exp(top - newTop);
      top = newTop;
      total *= fade;
      for (var i = lane; i < n; i += LANES) {
        let weight = exp(scores[i] - top);
        scores[i] = weight;
        total += weight;
      }
      workgroupBarrier();
      mix *= fade;
      if (lane < ROWS * D4) { mix += mixRows(s, kvHead, chunk, n, lane); }
      workgroupBarrier();
    }
    start += length;
  }

  reduced[lane] = total;
  mixed[lane] = mix;
  workgroupBarrier();
  if (lane < GROUPS) {
    for (var i = lane + GROUPS; i < LANES; i += GROUPS) { reduced[lane] += reduced[i]; }
  }
  workgroupBarrier();
  if (lane >= D4) { return; }
  total = 0.0;
  for (var i = 0u; i < GROUPS; i++) { total += reduced[i]; }
  var sum = vec4f();
  for (var i = lane; i < ROWS * D4; i += D4) { sum += mixed[i]; }
  sum /= total;
  for (var i = 0u; i < 4u; i++) {
    if (4u * lane + i < D) { out[(row * params.heads + head) * D + 4u * lane + i] = sum[i]; }
  }
}`,
});
