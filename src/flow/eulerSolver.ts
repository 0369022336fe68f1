/**
 * Times of the Euler solver of optimal-transport conditional flow matching (upstream `ConditionalCFM`, cosine schedule):
 * t_k = 1 − cos(π/2 · k / steps), in f32 as upstream.
 */

const { fround } = Math;

export interface Schedule {
  /** Start of every step. */
  readonly times: Float32Array;
  /** Length of every step. */
  readonly dt: Float32Array;
}

export function cosineSchedule(steps: number): Schedule {
  const span = Float32Array.from({ length: steps + 1 }, (_, k) => {
    const angle = fround(fround(fround(k / steps) * 0.5) * fround(Math.PI));
    return 1 - fround(Math.cos(angle));
  });
  return { times: span.subarray(0, steps), dt: Float32Array.from(span.subarray(1), (t, k) => t - (span[k] as number)) };
}
