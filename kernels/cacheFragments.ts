/**
 * WGSL shared by the kernels that touch the key/value cache of one layer.
 *
 * The cache lies in up to SEGMENTS buffers, position after position: it grows by another buffer and copies nothing. A segment of
 * `length` positions holds vec4s: keys [kvHeads, D4, length] (neighbouring lanes read neighbouring positions), then values
 * [kvHeads, length, D4] (neighbouring lanes read neighbouring columns). D4 = ceil(headDim / 4), the padding is zeros. Segments not
 * in use have length 0.
 */
export const SEGMENTS = 4;
const NUMBERS = Array.from({ length: SEGMENTS }, (_, s) => s);

/** The bindings `cache0` .. `cache3`. */
export function cacheBindings(access: "read" | "read_write", headDim: number) {
  const segment = (s: number) =>
    ({
      access,
      elem: "f32",
      vec: 4,
      shape: [2, "kvHeads", Math.ceil(headDim / 4), `length${s}`, 4],
      atLeast: true,
    }) as const;
  return { cache0: segment(0), cache1: segment(1), cache2: segment(2), cache3: segment(3) } as const;
}

/** Positions each segment holds. */
export const cacheParams = { length0: "u32", length1: "u32", length2: "u32", length3: "u32" } as const;

/** WGSL: `placeOf(position)` is the segment of a position, its row there and the segment's length. */
export const placeOf = `struct Place { segment: u32, row: u32, length: u32 }
fn placeOf(position: u32) -> Place {
  var place = Place(0u, position, params.length0);
  if (place.row >= place.length) { place = Place(1u, place.row - place.length, params.length1); }
  if (place.row >= place.length) { place = Place(2u, place.row - place.length, params.length2); }
  if (place.row >= place.length) { place = Place(3u, place.row - place.length, params.length3); }
  return place;
}`;

/** WGSL: places of four columns of a key and of a value; `placeOf` and `D4` must be in scope. */
export const cacheIndex = `fn keyIndex(at: Place, kvHead: u32, d4: u32) -> u32 { return (kvHead * D4 + d4) * at.length + at.row; }
fn valueIndex(at: Place, kvHead: u32, d4: u32) -> u32 {
  return params.kvHeads * D4 * at.length + (kvHead * at.length + at.row) * D4 + d4;
}`;

/** WGSL: `store(segment, index, v)` writes four columns; the host keeps every position within the segments (`KvCache.grow`). */
export const storeCache = `fn store(segment: u32, index: u32, v: vec4f) {
  switch segment {
${NUMBERS.map((s) => `    case ${s}u: { cache${s}[index] = v; }`).join("\n")}
    default: {}
  }
}`;

/**
 * WGSL: the loops of attention over rows `first .. first + count` of one segment, once per segment, because bindings cannot be
 * indexed: `scoreRows` fills `scores` and returns the lane's largest, `mixRows` returns the lane's share of Σ score · value.
 */
export const readCache = `${NUMBERS.map(
  (s) => `fn scoreRows${s}(kvHead: u32, first: u32, count: u32, lane: u32) -> f32 {
  var top = LOWEST;
  for (var i = lane; i < count; i += LANES) {
    var score = 0.0;
    for (var d4 = 0u; d4 < params.columns; d4++) {
      score += dot(query[d4], cache${s}[(kvHead * D4 + d4) * params.length${s} + first + i]);
    }
    scores[i] = score;
    top = max(top, score);
  }
  return top;
}
fn mixRows${s}(kvHead: u32, first: u32, count: u32, lane: u32) -> vec4f {
  let start = params.kvHeads * D4 * params.length${s} + (kvHead * params.length${s} + first) * D4 + lane % D4;
  var sum = vec4f();
  for (var i = lane / D4; i < count; i += ROWS) { sum += scores[i] * cache${s}[start + i * D4]; }
  return sum;
}`,
).join("\n")}
fn scoreRows(s: u32, kvHead: u32, first: u32, count: u32, lane: u32) -> f32 {
  switch s {
${NUMBERS.map((s) => `    case ${s}u: { return scoreRows${s}(kvHead, first, count, lane); }`).join("\n")}
    default: { return LOWEST; }
  }
}
fn mixRows(s: u32, kvHead: u32, first: u32, count: u32, lane: u32) -> vec4f {
  switch s {
${NUMBERS.map((s) => `    case ${s}u: { return mixRows${s}(kvHead, first, count, lane); }`).join("\n")}
    default: { return vec4f(); }
  }
}`;

/**
 * WGSL: `rotated(first, d, position)` is element d of the head that starts at `first`, turned by its position (half-split RoPE:
 * element d pairs with d ± HALF). `x` names the binding of the unrotated heads; `rope` holds (cos, sin) [positions, HALF].
 */
export function rotate(x: string): string {
  return `fn rotated(first: u32, d: u32, position: u32) -> f32 {
  if (d >= D) { return 0.0; }
  let j = d % HALF;
  let angle = rope[position * HALF + j];
  let a = ${x}[first + j];
  let b = ${x}[first + j + HALF];
  return select(a * angle.x - b * angle.y, b * angle.x + a * angle.y, d >= HALF);
}`;
}
