/** Repetition-aware choice among candidates, with the random numbers of `src/random.ts`: see the kernel of the same name. */
import { RandomStream } from "../../src/random.js";
import { type Masking, masked } from "./nucleus.js";

/** The exponential number of an id at a step. */
function exponential(stream: RandomStream, step: number, id: number): number {
  const word = stream.block(step * 2 ** 32 + Math.floor(id / 4))[id % 4] as number;
  return -Math.log(((word >>> 9) + 0.5) * 2 ** -23);
}

function best(ids: readonly number[], scores: Float64Array, stream: RandomStream, step: number): number | undefined {
  const key = (id: number) => (scores[id] as number) - Math.log(exponential(stream, step, id));
  return ids.reduce<number | undefined>((a, b) => (a === undefined || key(b) > key(a) ? b : a), undefined);
}

export function draw(
  logits: Float32Array,
  candidates: readonly number[],
  history: readonly number[],
  masking: Masking,
  { window, repeats, seed, stream }: { window: number; repeats: number; seed: number; stream: string },
): number {
  const scores = masked(logits, masking);
  const { step } = masking;
  const sorted = [...candidates].sort((a, b) => a - b);
  const first = best(sorted, scores, new RandomStream(`${stream}.draw`, seed), step) as number;
  const times = history.slice(-window).filter((id) => id === first).length;
  if (times < repeats) return first;
  const others = Array.from(scores.keys()).filter(
    (id) => id !== first && (scores[id] as number) > Number.NEGATIVE_INFINITY,
  );
  return best(others, scores, new RandomStream(`${stream}.redraw`, seed), step) ?? first;
}
