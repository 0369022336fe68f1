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
import { bestOfWorkgroup, LANES, maskedScore } from "./samplerFragments.js";

export type NucleusConstants = { topK: number };

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
  variants: [{ topK: 25 }, { topK: 2 }] as NucleusConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const LANES = ${LANES}u;
const TOP_K = ${constants.topK}u;
${maskedScore}
${bestOfWorkgroup}
var<workgroup> sums: array<f32, LANES>;
var<workgroup> broken: atomic<u32>;

/** The best id of this lane that comes after the given one in the order of candidates. */
struct Candidate { score: f32, id: u32 }
fn bestAfter(lane: u32, step: u32, score: f32, id: u32) -> Candidate {
  var best = Candidate(LOWEST, NONE);
  for (var i = lane; i < params.vocab; i += LANES) {
    let s = scoreOf(i, step);
    if (s > LOWEST && precedes(score, id, s, i) && precedes(s, i, best.score, best.id)) { best = Candidate(s, i); }
  }
  return best;
}

@compute @workgroup_size(LANES)
fn nucleus(@builtin(local_invocation_index) lane: u32) {
  let step = u32(state[2]);
  for (var i = lane; i < params.vocab; i += LANES) {
    if (isBroken(logits[i])) { atomicStore(&broken, 1u); }
  }
  var own = bestAfter(lane, step, -LOWEST, 0u);
  bestOf(lane, own.score, own.id);
  let top = workgroupUniformLoad(&bestScore[0]);
  var sum = 0.0;
  for (var i = lane; i < params.vocab; i += LANES) {
    let s = scoreOf(i, step);
    if (s > LOWEST) { sum += exp(s - top); }
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  let total = workgroupUniformLoad(&sums[0]);

  var taken = 0u;
  var reached = 0.0;
  while (taken < TOP_K && reached < params.topP) {
    let score = workgroupUniformLoad(&bestScore[0]);
    let id = workgroupUniformLoad(&bestId[0]);
    if (id == NONE) { break; }
    let p = exp(score - top) / total;
    if (lane == 0u) {
      ids[taken] = i32(id);
      probs[taken] = p;
    }
    reached += p;
    taken++;
    if (id % LANES == lane) { own = bestAfter(lane, step, score, id); }
    bestOf(lane, own.score, own.id);
  }
  for (var i = taken + lane; i < TOP_K; i += LANES) {
    ids[i] = -1;
    probs[i] = 0.0;
  }
  if (lane == 0u) { ids[TOP_K] = select(i32(taken), 0, atomicLoad(&broken) != 0u); }
}`,
});
