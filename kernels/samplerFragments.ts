/** WGSL shared by the kernels of the sampler: masked scores, the best of a workgroup, and its random numbers. */

/** Lanes of the one workgroup that samples; software devices pay for every lane at every barrier. */
export type SamplerLanes = 64 | 256;

/**
 * WGSL: `scoreOf(id)` is the logit, or LOWEST for an id that may not be chosen now: a log-probability of minus infinity, or one of
 * the first `maskedStops` stop ids while fewer than `minLen` tokens are out. NaN and plus infinity set `broken`.
 */
export const maskedScore = `const LOWEST = -3e38;
fn isBroken(v: f32) -> bool {
  let bits = bitcast<u32>(v);
  return (bits & 0x7fffffffu) > 0x7f800000u || bits == 0x7f800000u;
}
fn scoreOf(id: u32, step: u32) -> f32 {
  let stop = id - params.firstStop;
  if (id >= params.firstStop && stop < params.maskedStops && step < params.minLen) { return LOWEST; }
  let v = logits[id];
  return select(max(v, LOWEST), LOWEST, isBroken(v));
}`;

/**
 * WGSL: `bestOf(lane, mine)` is the best candidate of all lanes: the largest score, the lowest id among equals. The result is
 * uniform. An id of NONE stands for no candidate. Two steps instead of a tree: a barrier costs more than a few reads.
 */
export const bestOfWorkgroup = `const NONE = 0xffffffffu;
const GROUPS = 16u;
struct Candidate { score: f32, id: u32 }
var<workgroup> bests: array<Candidate, LANES>;
var<workgroup> winner: Candidate;
fn precedes(a: Candidate, b: Candidate) -> bool { return a.score > b.score || (a.score == b.score && a.id < b.id); }
fn bestOf(lane: u32, mine: Candidate) -> Candidate {
  bests[lane] = mine;
  workgroupBarrier();
  if (lane < GROUPS) {
    var best = mine;
    for (var i = lane + GROUPS; i < LANES; i += GROUPS) { if (precedes(bests[i], best)) { best = bests[i]; } }
    bests[lane] = best;
  }
  workgroupBarrier();
  if (lane == 0u) {
    var best = bests[0];
    for (var i = 1u; i < GROUPS; i++) { if (precedes(bests[i], best)) { best = bests[i]; } }
    winner = best;
  }
  return workgroupUniformLoad(&winner);
}`;

/**
 * WGSL: Philox4x32-10 as in `src/random.ts`. `exponential(word)` turns a word into an Exp(1) number from its upper 23 bits; its
 * logarithm is our own, since WGSL's may lose all digits just below 1, where the numbers that win a draw come from.
 */
export const random = `fn multiplyHigh(a: u32, b: u32) -> u32 {
  let middle = (a >> 16u) * (b & 0xffffu) + (((a & 0xffffu) * (b & 0xffffu)) >> 16u);
  let cross = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (cross >> 16u);
}
fn philox(counter: vec4u, seed: vec2u) -> vec4u {
  var c = counter;
  var key = seed;
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x);
    let high1 = multiplyHigh(0xcd9e8d57u, c.z);
    c = vec4u(high1 ^ c.y ^ key.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ key.y, 0xd2511f53u * c.x);
    key += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}
/** ln(x) of a normal x > 0: x = m · 2^e with m in [2/3, 4/3), then the series of artanh. */
fn ln(x: f32) -> f32 {
  let bits = bitcast<i32>(x);
  let e = (bits - 0x3f2aaaab) >> 23u;
  let m = bitcast<f32>(bits - (e << 23u));
  let s = (m - 1.0) / (m + 1.0);
  let t = s * s;
  let series = t * (0.33333333 + t * (0.2 + t * (0.14285714 + t * (0.11111111 + t * 0.09090909))));
  return f32(e) * 0.6931472 + 2.0 * (s + s * series);
}
fn exponential(word: u32) -> f32 { return -ln((f32(word >> 9u) + 0.5) * 1.1920929e-7); }`;
