/** Repetition-aware sampling on the GPU: which ids are candidates, and which one becomes the next token. */
import { DRAW_MODES, draw } from "../../kernels/draw.js";
import { nucleus as nucleusKernel } from "../../kernels/nucleus.js";
import type { SamplerLanes } from "../../kernels/samplerFragments.js";
import { type LmConfig, stopIds } from "../config.js";
import type { Device } from "../gpu/device.js";
import { Graph } from "../gpu/graph.js";
import { Program } from "../gpu/program.js";
import type { ResidentTensor, Tensor } from "../gpu/tensor.js";
import { seedKey, streamId } from "../random.js";

export interface Rules {
  /** "sample" draws, "greedy" takes the best, "forced" takes the ids that stand in `tokens` already. */
  readonly mode: keyof typeof DRAW_MODES;
  /** Tokens before a stop id may be chosen, and tokens at most. */
  readonly minLen: number;
  readonly maxLen: number;
  /** How many of the three stop ids are masked before `minLen`: all, or only the first as upstream does. */
  readonly maskedStops: number;
  readonly seed: number;
  /** Name of the random stream; two texts of one request have two names. */
  readonly stream: string;
}

/** What the sampler reads and writes, resident: see `kernels/draw.ts`. */
export interface SamplerState {
  readonly state: Tensor; // i32 [4]: position, token, step, done
  readonly tokens: Tensor; // i32 [maxLen]
  readonly margins: Tensor; // f32 [maxLen]
}

/** Candidates of the next token, as `kernels/nucleus.ts` writes them. */
export interface Candidates {
  readonly ids: Tensor; // i32 [topK + 1], the last is their number
  readonly probs: Tensor; // f32 [topK]
}

export interface NucleusOptions {
  readonly topK: number;
  readonly topP: number;
  readonly minLen: number;
  readonly maskedStops: number;
}

function lanesOf(g: Graph): SamplerLanes {
  return g.capabilities.adapter.software ? 64 : 256;
}

export function nucleus(g: Graph, logits: Tensor, state: Tensor, c: LmConfig, options: NucleusOptions): Candidates {
  const { topK, topP, minLen, maskedStops } = options;
  const ids = g.temp("candidates", [topK + 1], "i32");
  const probs = g.temp("probs", [topK]);
  const params = { vocab: c.speechRows, firstStop: stopIds(c)[0], maskedStops, minLen, topP };
  g.add(nucleusKernel, { topK, lanes: lanesOf(g) }, params, { logits, state, ids, probs });
  return { ids, probs };
}

/** Adds the choice of the next token from logits [V]; `advance` is the number of rows this step put into the cache. */
export function sample(
  g: Graph,
  logits: Tensor,
  { state, tokens, margins }: SamplerState,
  c: LmConfig,
  rules: Rules,
  advance: number,
): void {
  const greedy = rules.mode === "greedy";
  // Greedy wants the two best, with the stop ids always masked; a sum of probabilities never exceeds 1, so 2 is never reached.
  const choice = greedy
    ? { topK: 2, topP: 2, minLen: 0xffffffff, maskedStops: 3 }
    : { topK: c.sampling.topK, topP: c.sampling.topP, minLen: rules.minLen, maskedStops: rules.maskedStops };
  const { ids } = nucleus(g, logits, state, c, choice);
  const [seedLow, seedHigh] = seedKey(rules.seed);
  g.add(
    draw,
    { topK: choice.topK, lanes: lanesOf(g) },
    {
      vocab: c.speechRows,
      firstStop: stopIds(c)[0],
      maskedStops: choice.maskedStops,
      minLen: choice.minLen,
      maxLen: rules.maxLen,
      mode: DRAW_MODES[rules.mode],
      advance,
      window: c.sampling.window,
      repeats: c.sampling.window * c.sampling.tauR,
      seedLow,
      seedHigh,
      drawStream: streamId(`${rules.stream}.draw`),
      redrawStream: streamId(`${rules.stream}.redraw`),
    },
    { logits, ids, state, tokens, margins },
  );
}

/** The candidate set of given log-probabilities [V], through the GPU kernel: ids and probabilities in its order. */
export async function nucleusOf(
  device: Device,
  logprobs: Float32Array,
  c: LmConfig,
): Promise<{ ids: Int32Array; probs: Float32Array }> {
  const resident: ResidentTensor[] = [];
  let program: Program | undefined;
  try {
    const logits = device.upload("logprobs", [logprobs.length], logprobs);
    resident.push(logits);
    const state = device.tensor("state", [4], "i32");
    resident.push(state);
    const g = new Graph("nucleus", device.capabilities);
    const { topK, topP } = c.sampling;
    const candidates = nucleus(g, logits, state, c, { topK, topP, minLen: 0, maskedStops: 0 });
    g.keep(candidates.ids);
    g.keep(candidates.probs);
    program = await Program.compile(device, g);
    program.run();
    const ids = new Int32Array((await device.readU32(program.resident(candidates.ids))).buffer);
    const count = ids[topK] as number;
    return { ids: ids.slice(0, count), probs: (await program.read(candidates.probs)).slice(0, count) };
  } finally {
    program?.destroy();
    device.release(...resident.map(({ buffer }) => buffer));
  }
}
