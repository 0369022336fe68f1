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
import { cacheBindings, cacheIndex, cacheParams, placeOf, readCache, rotate, storeCache } from "./cacheFragments.js";

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

/** `rows` is 1 with `fresh`. `columns` is D4: software drivers take minutes to unroll loops whose count they know. */
const params = { rows: "u32", heads: "u32", kvHeads: "u32", columns: "u32", ...cacheParams } as const;

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
const LOWEST = -3e38;
/** Query, new key and new value, element by element. */
var<workgroup> turned: array<f32, ${constants.fresh ? 12 : 4}u * D4>;
var<workgroup> query: array<vec4f, D4>;
var<workgroup> newKey: array<vec4f, D4>;
var<workgroup> scores: array<f32, CHUNK>;
var<workgroup> reduced: array<f32, LANES>;
var<workgroup> mixed: array<vec4f, LANES>;

${placeOf}
${readCache}

fn turned4(d4: u32) -> vec4f { return vec4f(turned[4u * d4], turned[4u * d4 + 1u], turned[4u * d4 + 2u], turned[4u * d4 + 3u]); }

#if ${constants.fresh}
${cacheIndex}
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
  for (var d = lane; d < 4u * D4; d += LANES) {
    turned[d] = rotated(head * D, d, position) * scale;
    turned[4u * D4 + d] = rotated(keyFirst, d, position);
    turned[8u * D4 + d] = select(0.0, q[valueFirst + min(d, D - 1u)], d < D);
  }
  workgroupBarrier();
  if (lane < D4) {
    query[lane] = turned4(lane);
    let key = turned4(D4 + lane);
    mix = turned4(2u * D4 + lane);
    newKey[lane] = key;
    if (head % (params.heads / params.kvHeads) == 0u) {
      let at = placeOf(position);
      store(at.segment, keyIndex(at, kvHead, lane), key);
      store(at.segment, valueIndex(at, kvHead, lane), mix);
    }
  }
  workgroupBarrier();
  top = 0.0;
  for (var d4 = 0u; d4 < params.columns; d4++) { top += dot(query[d4], newKey[d4]); }
  total = select(0.0, 1.0, lane == 0u);
#else
  let count = position + 1u;
  let first = (row * params.heads + head) * D;
  for (var d = lane; d < 4u * D4; d += LANES) { turned[d] = select(0.0, q[first + min(d, D - 1u)] * scale, d < D); }
  workgroupBarrier();
  if (lane < D4) { query[lane] = turned4(lane); }
  workgroupBarrier();
#endif

  for (var seen = 0u; seen < count;) {
    // A chunk lies in one segment.
    let at = placeOf(seen);
    let n = min(min(CHUNK, count - seen), at.length - at.row);
    seen += n;
    reduced[lane] = max(top, scoreRows(at.segment, kvHead, at.row, n, lane));
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
    if (lane < ROWS * D4) { mix += mixRows(at.segment, kvHead, at.row, n, lane); }
    workgroupBarrier();
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
  let last = (row * params.heads + head) * D + 4u * lane;
  for (var i = 0u; i < min(4u, D - 4u * lane); i++) { out[last + i] = sum[i]; }
}`,
});
