/** [2, frames, 4 · bins]: x, mu, speaker, condition; in the second half only x. */
export function estimatorInput(
  { x, mu, speaker, condition }: Readonly<Record<"x" | "mu" | "speaker" | "condition", Float32Array>>,
  frames: number,
  bins: number,
): Float64Array {
  const out = new Float64Array(2 * frames * 4 * bins);
  for (let t = 0; t < frames; t++) {
    const row = (data: Float32Array): Float32Array => data.subarray(t * bins, (t + 1) * bins);
    out.set([...row(x), ...row(mu), ...speaker, ...row(condition)], t * 4 * bins);
    out.set(row(x), (frames + t) * 4 * bins);
  }
  return out;
}
