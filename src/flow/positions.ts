/** Sinusoids: the relative positions of the conformer and the time embedding of the estimator. Both round to f32 where upstream does. */

const { fround } = Math;

/**
 * Relative positions (upstream `EspnetRelPositionalEncoding`): row r stands for offset d = frames − 1 − r between query and key,
 * P[r, 2i] = sin(d · ω_i), P[r, 2i + 1] = cos(d · ω_i), ω_i = 10000^(−2i / width). [2 · frames − 1, width]
 */
export function relativePositions(frames: number, width: number): Float32Array {
  const out = new Float32Array((2 * frames - 1) * width);
  const slope = fround(-Math.log(10_000) / width);
  for (let i = 0; i < width; i += 2) {
    const omega = fround(Math.exp(fround(i * slope)));
    for (let r = 0; r < 2 * frames - 1; r++) {
      const angle = fround((frames - 1 - r) * omega);
      out[r * width + i] = Math.sin(angle);
      if (i + 1 < width) out[r * width + i + 1] = Math.cos(angle);
    }
  }
  return out;
}

/** Time is stretched by this before the sinusoids (upstream `SinusoidalPosEmb`). */
const TIME_SCALE = 1000;

/** All sines, then all cosines of 1000 · t · f_k, f_k = 10000^(−k / (half − 1)). [width] */
export function timeSinusoids(t: number, width: number): Float32Array {
  const half = width / 2;
  const out = new Float32Array(width);
  const slope = fround(-Math.log(10_000) / (half - 1));
  for (let k = 0; k < half; k++) {
    const angle = fround(fround(TIME_SCALE * t) * fround(Math.exp(fround(k * slope))));
    out[k] = Math.sin(angle);
    out[half + k] = Math.cos(angle);
  }
  return out;
}
