/**
 * The candidates of the sampler: the most probable ids until their probabilities reach topP, at most TOP_K of them.
 *
 *   p = softmax(scores);  take ids by p descending (equal ones by id) while Σ taken < topP and fewer than TOP_K are taken
 *
 * The id that crosses topP is taken; the sum runs in f32; p is not renormalised. Logits that are not numbers leave count 0.
 * One workgroup. Every lane knows the best of its own ids that is not yet taken, and looks again only after that one was taken.
 * (CosyVoice 2, "repetition-aware sampling"; `nucleus_sampling` upstream.)
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import { bestOfWorkgroup, maskedScore, type SamplerLanes } from "./samplerFragments.js";

export type NucleusConstants = { topK: number; lanes: SamplerLanes };

const bindings = ({ topK }: NucleusConstants) =>
  ({
    logits: { access: "read", elem: "f32", shape: ["vocab"] },
    /** [position, token, step, done]: see `draw`. */
    state: { access: "read", elem: "i32", shape: [4] },
    /** Ids [topK], then how many of them count. */
    ids: { access: "read_write", elem: "i32", shape: [topK + 1] },
    probs: { access: "read_write", elem: "f32", shape: [topK] },
  }) as const;

/** Stop ids are firstStop and the next; the first `maskedStops` of them are masked while step < minLen. */
const params = { vocab: "u32", firstStop: "u32", maskedStops: "u32", minLen: "u32", topP: "f32" } as const;

export const nucleus = defineKernel({
  name: "nucleus",
  bindings,
  params,
  workgroups: () => [1, 1, 1],
  variants: [
    { topK: 25, lanes: 64 },
    { topK: 2, lanes: 256 },
  ] as NucleusConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const LANES = ${constants.lanes}u;
const TOP_K = ${constants.topK}u;
${maskedScore}
${bestOfWorkgroup}
var<workgroup> sums: array<f32, LANES>;
var<workgroup> total: f32;
var<workgroup> broken: atomic<u32>;

/** The best id of this lane that comes after the given one in the order of candidates. */
fn bestAfter(lane: u32, step: u32, last: Candidate) -> Candidate {
  var best = Candidate(LOWEST, NONE);
  for (var i = lane; i < params.vocab; i += LANES) {
    let one = Candidate(scoreOf(i, step), i);
    if (one.score > LOWEST && precedes(last, one) && precedes(one, best)) { best = one; }
  }
  return best;
}

@compute @workgroup_size(LANES)
fn nucleus(@builtin(local_invocation_index) lane: u32) {
  let step = u32(state[2]);
  if (lane == 0u) { atomicStore(&broken, 0u); }
  var own = bestAfter(lane, step, Candidate(-LOWEST, 0u));
  var best = bestOf(lane, own);
  let top = best.score;
  var sum = 0.0;
  for (var i = lane; i < params.vocab; i += LANES) {
    if (isBroken(logits[i])) { atomicStore(&broken, 1u); }
    let s = scoreOf(i, step);
    if (s > LOWEST) { sum += exp(s - top); }
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < LANES; i++) { sum += sums[i]; }
    total = sum;
  }
  let all = workgroupUniformLoad(&total);

  var taken = 0u;
  var reached = 0.0;
  while (taken < TOP_K && reached < params.topP && best.id != NONE) {
    let p = exp(best.score - top) / all;
    if (lane == 0u) {
      ids[taken] = i32(best.id);
      probs[taken] = p;
    }
    reached += p;
    taken++;
    if (best.id % LANES == lane) { own = bestAfter(lane, step, best); }
    best = bestOf(lane, own);
  }
  for (var i = taken + lane; i < TOP_K; i += LANES) {
    ids[i] = -1;
    probs[i] = 0.0;
  }
  if (lane == 0u) { ids[TOP_K] = select(i32(taken), 0, atomicLoad(&broken) != 0u); }
}`,
});
