/**
 * How a difference is judged: the table of the parity contract. Every function is pure.
 *
 * The limits of f32 are 20 to 100 times what an independent f32 computation differs by. In `source`, `whole` and `stream` the phase of
 * the harmonics is an integral of f0 over the utterance, so one ulp in f0 grows with time and the limit with it.
 */
import type { WeightDtype } from "../checkpoint/model.js";
import type { Row, Verdict } from "./report.js";

export interface Rule {
  /** Most that `rel` may be; null: something else decides. */
  readonly rel: number | null;
  /** Least Pearson correlation of the log-mel features of both signals. */
  readonly logMel?: number;
}

/** @param seconds length of the reference signal, for the stages whose limit grows with time. */
export function ruleFor(stage: string, tensor: string, dtype: WeightDtype, seconds: number): Rule {
  const speech = tensor === "samples" && (stage === "whole" || stage === "stream");
  if (dtype === "f32") {
    if (speech) return { rel: 1e-3 + 3e-3 * seconds };
    if (stage === "source" && tensor === "source") return { rel: 1e-4 + 5e-4 * seconds };
    return { rel: 1e-4 };
  }
  if (speech) return { rel: null, logMel: 0.99 };
  return { rel: tensor === "mel" || (stage === "vocoder" && tensor === "samples") ? 3e-2 : 1e-2 };
}

/** Two greedy choices may differ where the two best log-probabilities are this close. */
export const NEAR_TIE = 1e-4;

/** What a comparison found, before it is put into a row. */
export type Finding = Pick<Row, "rel" | "max_abs" | "limit" | "verdict"> & { readonly reason?: string };

export interface Difference {
  readonly rel: number;
  readonly maxAbs: number;
  /** Index of the first value of `out` that is NaN or infinite. */
  readonly bad: number | undefined;
}

/** Sums in double precision. A reference of zeros must be met exactly. */
export function difference(out: ArrayLike<number>, reference: ArrayLike<number>): Difference {
  let apart = 0;
  let size = 0;
  let maxAbs = 0;
  let bad: number | undefined;
  for (let i = 0; i < reference.length; i++) {
    const [a, b] = [out[i] as number, reference[i] as number];
    if (!Number.isFinite(a)) bad ??= i;
    apart += (a - b) ** 2;
    size += b * b;
    maxAbs = Math.max(maxAbs, Math.abs(a - b));
  }
  const rel = apart === 0 ? 0 : size === 0 ? Number.POSITIVE_INFINITY : Math.sqrt(apart / size);
  return { rel, maxAbs, bad };
}

/** Shapes differ: nothing can be compared. */
export function shapeFinding(out: readonly number[], reference: readonly number[]): Finding | undefined {
  if (out.length === reference.length && out.every((size, axis) => size === reference[axis])) return undefined;
  return failed(`shape [${out.join(", ")}], the reference has [${reference.join(", ")}]`);
}

/**
 * Floats against floats.
 * @param correlation Pearson correlation of log-mel features, computed only when the rule asks for it.
 */
export function judgeFloats(
  out: Float32Array,
  reference: Float32Array,
  rule: Rule,
  correlation: () => number = () => Number.NaN,
): Finding {
  const { rel, maxAbs, bad } = difference(out, reference);
  if (bad !== undefined) return failed(`value ${bad} is ${out[bad]}`, rule.rel);
  if (Number.isNaN(rel)) return failed("the reference holds values that are no numbers", rule.rel);
  const found = { rel, max_abs: maxAbs, limit: rule.rel };
  if (rule.logMel !== undefined) {
    const likeness = correlation();
    const verdict: Verdict = likeness >= rule.logMel ? "pass" : "fail";
    return { ...found, verdict, reason: `log-mel correlation ${likeness.toFixed(5)}, at least ${rule.logMel}` };
  }
  return { ...found, verdict: rule.rel === null || rel <= rule.rel ? "pass" : "fail" };
}

/** Ids, counts, masks: every value must be the same. */
export function judgeExact(out: ArrayLike<number>, reference: ArrayLike<number>): Finding {
  if (out.length !== reference.length) return failed(`${out.length} values, the reference has ${reference.length}`);
  let wrong = 0;
  let first = -1;
  let maxAbs = 0;
  for (let i = 0; i < reference.length; i++) {
    if (out[i] === reference[i]) continue;
    if (wrong++ === 0) first = i;
    maxAbs = Math.max(maxAbs, Math.abs((out[i] as number) - (reference[i] as number)));
  }
  if (wrong === 0) return { rel: 0, max_abs: 0, limit: 0, verdict: "pass" };
  return {
    rel: wrong / reference.length,
    max_abs: maxAbs,
    limit: 0,
    verdict: "fail",
    reason: `${wrong} of ${reference.length} differ, the first at ${first}: ${out[first]} instead of ${reference[first]}`,
  };
}

/**
 * Greedy ids. In f32 the first difference must be a near tie of the engine's own two best log-probabilities, and ends the
 * check; in f16 the agreement is only reported.
 * @param gap difference of the two best log-probabilities at a step
 */
export function judgeGreedy(
  out: ArrayLike<number>,
  reference: ArrayLike<number>,
  gap: ArrayLike<number>,
  dtype: WeightDtype,
): Finding {
  const exact = judgeExact(out, reference);
  if (exact.verdict === "pass" || out.length !== reference.length) return exact;
  if (dtype !== "f32") {
    return { ...exact, limit: null, verdict: "pass", reason: `agreement only reported: ${exact.reason ?? ""}` };
  }
  const step = Array.from(reference).findIndex((id, i) => id !== out[i]);
  const near = gap[step] as number;
  if (!(near <= NEAR_TIE)) {
    return { ...exact, reason: `${exact.reason}; the two best are ${near.toExponential(1)} apart, no near tie` };
  }
  return {
    ...exact,
    verdict: "pass",
    reason: `equal for ${step} of ${reference.length} steps, then a near tie (${near.toExponential(1)})`,
  };
}

/** A token of quantised speech may differ where a projected value is this close to the edge of a level. */
export const NEAR_EDGE = 1e-3;

/**
 * Ids of the speech tokenizer, which computes in f32 whatever the weights' type.
 * @param edge how far the nearest projected value of a token lies from an edge
 */
export function judgeTokens(out: ArrayLike<number>, reference: ArrayLike<number>, edge: ArrayLike<number>): Finding {
  const exact = judgeExact(out, reference);
  if (exact.verdict === "pass" || out.length !== reference.length) return exact;
  const far = Array.from(reference).findIndex((id, i) => id !== out[i] && !((edge[i] as number) <= NEAR_EDGE));
  if (far >= 0)
    return { ...exact, reason: `${exact.reason}; token ${far} is ${edge[far]?.toExponential(1)} from an edge` };
  return { ...exact, verdict: "pass", reason: `${exact.reason}; all of them within ${NEAR_EDGE} of an edge` };
}

/** Pearson correlation over all values of two feature arrays. */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = Math.min(a.length, b.length);
  let [meanA, meanB] = [0, 0];
  for (let i = 0; i < n; i++) {
    meanA += (a[i] as number) / n;
    meanB += (b[i] as number) / n;
  }
  let [both, onlyA, onlyB] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [x, y] = [(a[i] as number) - meanA, (b[i] as number) - meanB];
    both += x * y;
    onlyA += x * x;
    onlyB += y * y;
  }
  return both / Math.sqrt(onlyA * onlyB);
}

function failed(reason: string, limit: number | null = null): Finding {
  return { rel: null, max_abs: null, limit, verdict: "fail", reason };
}
