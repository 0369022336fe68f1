/** The clean-up of a reference recording that the older official web page did. */

/** Frames of the level meter, in samples at 16 kHz. */
const FRAME = 440;
const HOP = 220;
/** What is this much quieter than the loudest frame is cut off at both ends. */
const DECIBELS_BELOW = 60;
/** Levels under this count as this (librosa's `amplitude_to_db`). */
const LEAST_LEVEL = 1e-5;
/** The loudest sample afterwards. */
const PEAK = 0.8;

/**
 * Silence cut off at both ends, the peak brought down to 0.8, silence appended. A recording that stops with its last sound leaks
 * that sound into what is spoken next; the silence at its end prevents it.
 * @param samples16k mono, at 16 kHz
 * @param tail zeros to append
 */
export function cleanUp(samples16k: Float32Array, tail: number): Float32Array {
  const [start, end] = soundingRange(samples16k);
  const kept = samples16k.subarray(start, end);
  const peak = kept.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const gain = peak > PEAK ? PEAK / peak : 1;
  const out = new Float32Array(kept.length + tail);
  for (let i = 0; i < kept.length; i++) out[i] = (kept[i] as number) * gain;
  return out;
}

/** First and last frame within 60 dB of the loudest, as samples [start, end). Frame f is centred on sample 220 f. */
function soundingRange(samples: Float32Array): readonly [start: number, end: number] {
  const levels = Float64Array.from({ length: 1 + Math.floor(samples.length / HOP) }, (_, f) => {
    const piece = samples.subarray(Math.max(0, f * HOP - FRAME / 2), f * HOP + FRAME / 2);
    const power = piece.reduce((sum, v) => sum + v * v, 0) / FRAME; // beyond the ends there are zeros
    return Math.max(LEAST_LEVEL, Math.sqrt(power));
  });
  const loudest = levels.reduce((most, level) => Math.max(most, level), 0);
  const threshold = loudest * 10 ** (-DECIBELS_BELOW / 20);
  const sounds = (level: number) => level > threshold;
  return [levels.findIndex(sounds) * HOP, Math.min(samples.length, (levels.findLastIndex(sounds) + 1) * HOP)];
}
