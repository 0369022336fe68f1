/** The candidates of the sampler: see the kernel of the same name. */

export interface Masking {
  /** Ids firstStop .. firstStop + maskedStops are impossible while step < minLen. */
  readonly firstStop: number;
  readonly maskedStops: number;
  readonly minLen: number;
  readonly step: number;
}

/** Scores with masked ids at minus infinity. */
export function masked(logits: Float32Array, { firstStop, maskedStops, minLen, step }: Masking): Float64Array {
  return Float64Array.from(logits, (v, id) =>
    step < minLen && id >= firstStop && id < firstStop + maskedStops ? Number.NEGATIVE_INFINITY : v,
  );
}

export function nucleus(
  logits: Float32Array,
  masking: Masking,
  { topP, topK }: { topP: number; topK: number },
): { ids: number[]; probs: number[] } {
  if (logits.some((v) => Number.isNaN(v) || v === Number.POSITIVE_INFINITY)) return { ids: [], probs: [] };
  const scores = masked(logits, masking);
  const top = scores.reduce((a, b) => Math.max(a, b));
  const total = scores.reduce((sum, v) => sum + Math.exp(v - top), 0);
  const order = Array.from(scores.keys())
    .filter((id) => (scores[id] as number) > Number.NEGATIVE_INFINITY)
    .sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  const ids: number[] = [];
  const probs: number[] = [];
  let reached = 0;
  for (const id of order) {
    if (ids.length >= topK || reached >= Math.fround(topP)) break;
    const p = Math.exp((scores[id] as number) - top) / total;
    ids.push(id);
    probs.push(p);
    reached = Math.fround(reached + p);
  }
  return { ids, probs };
}
