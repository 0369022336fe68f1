/**
 * Chooses the next token from the candidates of `nucleus`, writes it down and moves the state on.
 *
 *   t = argmax over candidates of  logit − ln q(id),   q ~ Exp(1) of stream 0
 *   if t was drawn at least `repeats` times in the last `window` tokens:
 *     t = argmax over all other ids of  logit − ln q(id),   q ~ Exp(1) of stream 1
 *
 * argmax p/q with exponential q draws an id with probability p. The number of an id hangs on seed, stream, step and id alone:
 * word id mod 4 of the Philox block with counter [⌊id/4⌋, step, stream, 0] (`RandomStream.block(step · 2³² + ⌊id/4⌋)`).
 *
 * MODE greedy takes the first candidate (`margins` gets the gap to the second), MODE forced takes the id that already stands in
 * `tokens`. `state` is [position of the next row, token to embed next, tokens out, done]; done is 0, 1 + n after stop id n, 4 when
 * maxLen is reached, 5 when the logits are no numbers. Once it is set nothing changes any more, so surplus steps do no harm.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import { bestOfWorkgroup, maskedScore, random, type SamplerLanes } from "./samplerFragments.js";

/** The forms of the choice, by their number in `params.mode`. */
export const DRAW_MODES = { sample: 0, greedy: 1, forced: 2 } as const;
/** Values of the state's `done`. */
export const DONE = { running: 0, eos: 1, reserved: 2, fill: 3, length: 4, broken: 5 } as const;

export type DrawConstants = { topK: number; lanes: SamplerLanes };

const bindings = ({ topK }: DrawConstants) =>
  ({
    logits: { access: "read", elem: "f32", shape: ["vocab"] },
    ids: { access: "read", elem: "i32", shape: [topK + 1] },
    state: { access: "read_write", elem: "i32", shape: [4] },
    tokens: { access: "read_write", elem: "i32", shape: ["maxLen"], atLeast: true },
    margins: { access: "read_write", elem: "f32", shape: ["maxLen"], atLeast: true },
  }) as const;

/** `advance` is the number of rows the step put into the cache; the seed and the streams are the words of `src/random.ts`. */
const params = {
  vocab: "u32",
  firstStop: "u32",
  maskedStops: "u32",
  minLen: "u32",
  maxLen: "u32",
  mode: "u32",
  advance: "u32",
  window: "u32",
  repeats: "f32",
  seedLow: "u32",
  seedHigh: "u32",
  drawStream: "u32",
  redrawStream: "u32",
} as const;

export const draw = defineKernel({
  name: "draw",
  bindings,
  params,
  workgroups: () => [1, 1, 1],
  variants: [
    { topK: 25, lanes: 64 },
    { topK: 2, lanes: 256 },
  ] as DrawConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const LANES = ${constants.lanes}u;
const TOP_K = ${constants.topK}u;
const STOPS = 3u;
const SAMPLE = ${DRAW_MODES.sample}u;
const GREEDY = ${DRAW_MODES.greedy}u;
const FORCED = ${DRAW_MODES.forced}u;
const REACHED_LENGTH = ${DONE.length};
const BROKEN = ${DONE.broken};
${maskedScore}
${bestOfWorkgroup}
${random}
var<workgroup> repeated: u32;

/** An id with its score in the draw of one stream. */
fn candidate(id: u32, step: u32, stream: u32) -> Candidate {
  let words = philox(vec4u(id / 4u, step, stream, 0u), vec2u(params.seedLow, params.seedHigh));
  return Candidate(scoreOf(id, step) - ln(exponential(words[id % 4u])), id);
}

@compute @workgroup_size(LANES)
fn draw(@builtin(local_invocation_index) lane: u32) {
  let step = u32(state[2]);
  let count = u32(ids[TOP_K]);

  var own = Candidate(LOWEST, NONE);
  for (var i = lane; i < count; i += LANES) {
    let one = candidate(u32(ids[i]), step, params.drawStream);
    if (precedes(one, own)) { own = one; }
  }
  let first = bestOf(lane, own).id;
  var chosen = first;

  if (lane == 0u) {
    var times = 0u;
    for (var i = step - min(step, params.window); i < step; i++) { times += select(0u, 1u, u32(tokens[i]) == first); }
    repeated = select(0u, 1u, params.mode == SAMPLE && f32(times) >= params.repeats);
  }
  if (workgroupUniformLoad(&repeated) == 1u) {
    own = Candidate(LOWEST, NONE);
    for (var i = lane; i < params.vocab; i += LANES) {
      if (i == first || scoreOf(i, step) <= LOWEST) { continue; }
      let one = candidate(i, step, params.redrawStream);
      if (precedes(one, own)) { own = one; }
    }
    let other = bestOf(lane, own).id;
    if (other != NONE) { chosen = other; }
  }

  if (lane != 0u || state[3] != 0) { return; }
  if (count == 0u) {
    state[3] = BROKEN;
    return;
  }
  var token = chosen;
  if (params.mode == GREEDY) {
    token = u32(ids[0]);
    margins[step] = 0.0;
    if (count > 1u) { margins[step] = logits[ids[0]] - logits[ids[1]]; }
  }
  if (params.mode == FORCED) { token = u32(max(tokens[step], 0)); }
  state[0] += i32(params.advance);
  if (params.mode != FORCED && token >= params.firstStop && token - params.firstStop < STOPS) {
    state[3] = i32(token - params.firstStop) + 1;
    return;
  }
  tokens[step] = i32(token);
  state[1] = i32(token);
  state[2] = i32(step) + 1;
  if (step + 1u >= params.maxLen) { state[3] = REACHED_LENGTH; }
}`,
});
