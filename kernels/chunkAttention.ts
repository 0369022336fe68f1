/**
 * Attention under a chunk mask, with or without relative positions, one pass over the keys and no table of scores.
 *
 *   s[i, j]  = scale · q[i] · k[j]                                             in the estimator
 *   s[i, j]  = scale · ((q[i] + u) · k[j] + (q[i] + v) · p[T − 1 − i + j])     with `relative`, in the conformer
 *   out[i]   = Σ_j softmax_j(s[i, j]) · v[j]    over the keys j that `allowed(i, j)` lets i see, for every head
 *
 * Row r of `positions` stands for the offset T − 1 − r between query and key. A workgroup takes TILE queries of one head and walks the
 * keys in tiles, with a running maximum and sum per query; tiles that the mask hides from all its queries are never visited. A thread
 * has a 4 × 4 block of scores, then 4 queries × every eighth vec4 of the head for the values. Blocks are stored spread apart, so that
 * neighbouring threads read neighbouring words.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import {
  type AttentionConstants,
  attentionBindings,
  attentionParams,
  attentionReaders,
  chunkMask,
} from "./attentionFragments.js";

/** Queries and keys of a tile, and threads along each. */
const TILE = 32;
const THREADS = 8;

/** vec4s of workgroup memory that hold tiles of q, k and p, and later of v. */
const STAGE = 528;

/** Widest head: eight keys' values must fit the stage. */
export const MAX_HEAD_DIM = 256;

export const chunkAttention = defineKernel({
  name: "chunkAttention",
  bindings: attentionBindings,
  params: attentionParams,
  workgroups: ({ batch, frames, heads }) => [Math.ceil(frames / TILE), heads, batch],
  variants: [
    { relative: false, headDim: 64, vec: 4 },
    { relative: true, headDim: 64, vec: 4 },
    { relative: true, headDim: 7, vec: 1 },
    { relative: false, headDim: 132, vec: 4 },
  ] as AttentionConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(attentionBindings(constants), attentionParams)}
const TILE = ${TILE}u;
const THREADS = ${THREADS}u;
const LANES = THREADS * THREADS;
const HEAD_DIM = ${constants.headDim}u;
const WIDTH4 = ${Math.ceil(constants.headDim / 4)}u; // vec4s of a head
const STEP = ${constants.relative ? 4 : 8}u; // vec4s of a head per stage of scores
const PITCH = TILE + 1u;
const KEYS_AT = PITCH * STEP;
const OFFSETS_AT = 2u * PITCH * STEP;
const OFFSET_PITCH = 2u * TILE + 1u;
const VALUES = ${valuesPerStage(constants.headDim)}u; // keys per stage of values
const COLS = ${Math.ceil(constants.headDim / 4 / THREADS)}u; // vec4s of a head per thread
const SCORE_PITCH = THREADS + 1u;
const HIDDEN = -1e30;
var<workgroup> stage: array<vec4f, ${STAGE}>;
var<workgroup> scores: array<vec4f, TILE * SCORE_PITCH>;

${chunkMask}

${attentionReaders(constants)}

/** Four channels of query (part 0), key (1) or value (2) of a frame; zero outside. */
fn part4(part: u32, batch: u32, frame: u32, head: u32, d4: u32) -> vec4f {
  if (frame >= params.frames || d4 >= WIDTH4) { return vec4f(); }
  return qkvRead(partStart(part, batch, frame, head), d4);
}

#if ${constants.relative}
fn positions4(offset: i32, head: u32, d4: u32) -> vec4f {
  if (offset < 0 || u32(offset) >= params.offsets || d4 >= WIDTH4) { return vec4f(); }
  return positionsRead(positionStart(u32(offset), head), d4);
}
#endif

@compute @workgroup_size(THREADS, THREADS)
fn chunkAttention(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
                  @builtin(local_invocation_index) lane: u32) {
  let firstQuery = group.x * TILE;
  let head = group.y;
  let batch = group.z;
  let keys = keysOf(min(firstQuery + TILE, params.frames) - 1u);
  var sums: array<vec4f, 4u * COLS>;
  var highest = vec4f(HIDDEN);
  var total = vec4f();
  for (var firstKey = 0u; firstKey < keys; firstKey += TILE) {
    // Zeros are written out: drivers were seen to keep the values of the turn before.
    var s = array<vec4f, 4>();
    for (var d0 = 0u; d0 < WIDTH4; d0 += STEP) {
      for (var item = lane; item < TILE * STEP; item += LANES) {
        let d4 = d0 + item % STEP;
        let row = item / STEP;
        let at = item % STEP * PITCH + row % 4u * THREADS + row / 4u;
        stage[at] = part4(0u, batch, firstQuery + row, head, d4);
        stage[KEYS_AT + at] = part4(1u, batch, firstKey + row, head, d4);
      }
#if ${constants.relative}
      // The first of the tile's offsets belongs to its last query and its first key.
      let firstOffset = i32(params.frames + firstKey) - i32(firstQuery + TILE);
      for (var item = lane; item < 2u * TILE * STEP; item += LANES) {
        let row = item / STEP;
        stage[OFFSETS_AT + item % STEP * OFFSET_PITCH + row % 4u * 2u * THREADS + row / 4u] =
          positions4(firstOffset + i32(row), head, d0 + item % STEP);
      }
#endif
      workgroupBarrier();
      for (var d = 0u; d < STEP; d++) {
        let at = KEYS_AT + d * PITCH + local.x;
        let k0 = stage[at];
        let k1 = stage[at + THREADS];
        let k2 = stage[at + 2u * THREADS];
        let k3 = stage[at + 3u * THREADS];
#if ${constants.relative}
        // The block's key minus query runs over seven offsets.
        let u4 = select(vec4f(), uRead(head * HEAD_DIM, min(d0 + d, WIDTH4 - 1u)), d0 + d < WIDTH4);
        let v4 = select(vec4f(), vRead(head * HEAD_DIM, min(d0 + d, WIDTH4 - 1u)), d0 + d < WIDTH4);
        let offset = OFFSETS_AT + d * OFFSET_PITCH + local.x + (THREADS - 1u) - local.y;
        var p: array<vec4f, 7>;
        for (var n = 0u; n < 7u; n++) { p[n] = stage[offset + n % 4u * 2u * THREADS + n / 4u]; }
#endif
        for (var r = 0u; r < 4u; r++) {
          let q = stage[d * PITCH + r * THREADS + local.y];
#if ${constants.relative}
          let qu = q + u4;
          let qv = q + v4;
          s[r] += vec4f(dot(qu, k0), dot(qu, k1), dot(qu, k2), dot(qu, k3));
          s[r] += vec4f(dot(qv, p[3u - r]), dot(qv, p[4u - r]), dot(qv, p[5u - r]), dot(qv, p[6u - r]));
#else
          s[r] += vec4f(dot(q, k0), dot(q, k1), dot(q, k2), dot(q, k3));
#endif
        }
      }
      workgroupBarrier();
    }

    for (var r = 0u; r < 4u; r++) {
      let query = firstQuery + 4u * local.y + r;
      let seen = vec4u(firstKey + 4u * local.x) + vec4u(0u, 1u, 2u, 3u) < vec4u(keysOf(query));
      s[r] = select(vec4f(HIDDEN), params.scale * s[r], seen);
      scores[(4u * local.y + r) * SCORE_PITCH + local.x] = s[r];
    }
    workgroupBarrier();
    for (var r = 0u; r < 4u; r++) {
      var m = vec4f(highest[r]);
      for (var n = 0u; n < THREADS; n++) { m = max(m, scores[(4u * local.y + r) * SCORE_PITCH + n]); }
      let top = max(max(m.x, m.y), max(m.z, m.w));
      let shrink = exp(max(highest[r] - top, -80.0));
      highest[r] = top;
      total[r] *= shrink;
      for (var c = 0u; c < COLS; c++) { sums[r * COLS + c] *= shrink; }
      s[r] = select(vec4f(), exp(max(s[r] - top, vec4f(-80.0))), s[r] > vec4f(HIDDEN));
    }
    workgroupBarrier();
    for (var r = 0u; r < 4u; r++) { scores[(4u * local.y + r) * SCORE_PITCH + local.x] = s[r]; }

    for (var firstValue = 0u; firstValue < TILE; firstValue += VALUES) {
      for (var item = lane; item < VALUES * WIDTH4; item += LANES) {
        stage[item] = part4(2u, batch, firstKey + firstValue + item / WIDTH4, head, item % WIDTH4);
      }
      workgroupBarrier();
      for (var n = 0u; n < VALUES / 4u; n++) {
        var weights: array<vec4f, 4>;
        for (var r = 0u; r < 4u; r++) {
          weights[r] = scores[(4u * local.y + r) * SCORE_PITCH + firstValue / 4u + n];
          total[r] += dot(weights[r], vec4f(1.0));
        }
        for (var c = 0u; c < COLS; c++) {
          let at = 4u * n * WIDTH4 + min(local.x + c * THREADS, WIDTH4 - 1u);
          let v0 = stage[at];
          let v1 = stage[at + WIDTH4];
          let v2 = stage[at + 2u * WIDTH4];
          let v3 = stage[at + 3u * WIDTH4];
          for (var r = 0u; r < 4u; r++) {
            let w = weights[r];
            sums[r * COLS + c] += w.x * v0 + w.y * v1 + w.z * v2 + w.w * v3;
          }
        }
      }
      workgroupBarrier();
    }
  }

  for (var r = 0u; r < 4u; r++) {
    let query = firstQuery + 4u * local.y + r;
    if (query >= params.frames) { continue; }
    for (var c = 0u; c < COLS; c++) {
      let d4 = local.x + c * THREADS;
      if (d4 < WIDTH4) { outWrite(outStart(batch, query, head), d4, sums[r * COLS + c] / total[r]); }
    }
  }
}`,
});

/** Keys whose values fit the stage: a power of two, at least 4 and at most a tile. */
function valuesPerStage(headDim: number): number {
  let keys = TILE;
  while (keys > 4 && keys * Math.ceil(headDim / 4) > STAGE) keys /= 2;
  return keys;
}
