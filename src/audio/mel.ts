/** The log-mel spectrogram that the flow speaks and listens in (Matcha-TTS, `mel_spectrogram`). */
import type { MelConfig } from "../config.js";
import { InputError } from "../errors.js";
import { Fft } from "./fft.js";
import { FilterBank } from "./filterBank.js";

/** Added to the power before its root, and the smallest mel value before its logarithm. */
const POWER_FLOOR = 1e-9;
const MEL_FLOOR = 1e-5;

/** Slaney's scale: linear below this, logarithmic above. */
const LINEAR_TO_HZ = 1000;
const HZ_PER_MEL = 200 / 3;
const MELS_PER_E = 27 / Math.log(6.4);

function hzToMel(hz: number): number {
  if (hz < LINEAR_TO_HZ) return hz / HZ_PER_MEL;
  return LINEAR_TO_HZ / HZ_PER_MEL + MELS_PER_E * Math.log(hz / LINEAR_TO_HZ);
}

function melToHz(mel: number): number {
  const linear = LINEAR_TO_HZ / HZ_PER_MEL;
  return mel < linear ? mel * HZ_PER_MEL : LINEAR_TO_HZ * Math.exp((mel - linear) / MELS_PER_E);
}

/** What the filters depend on. */
type MelRange = Pick<MelConfig, "nFft" | "bins" | "fMin" | "fMax">;

/** Triangles of equal area, evenly spaced on Slaney's scale (librosa's default): [bins, nFft / 2 + 1]. */
export function melFilters({ nFft, bins, fMin, fMax }: MelRange, rate: number): Float32Array {
  const low = hzToMel(fMin);
  const high = hzToMel(fMax ?? rate / 2);
  const edges = Array.from({ length: bins + 2 }, (_, i) => melToHz(low + ((high - low) * i) / (bins + 1)));
  const columns = Math.floor(nFft / 2) + 1;
  const filters = new Float32Array(bins * columns);
  for (let b = 0; b < bins; b++) {
    const [left = 0, centre = 0, right = 0] = edges.slice(b, b + 3);
    for (let k = 0; k < columns; k++) {
      const hz = (k * rate) / nFft;
      const height = Math.min((hz - left) / (centre - left), (right - hz) / (right - centre));
      filters[b * columns + k] = (Math.max(0, height) * 2) / (right - left);
    }
  }
  return filters;
}

/**
 * @param samples mono, at `rate` samples per second
 * @returns log-mel [⌊samples / hop⌋, bins]
 * @throws InputError for a signal too short to be mirrored at its ends
 */
export function mel24k(samples: Float32Array, mel: MelConfig, rate: number): Float32Array {
  const { nFft, hop, win, bins } = mel;
  const pad = Math.floor((nFft - hop) / 2);
  if (samples.length <= pad) {
    throw new InputError(`a mel spectrogram needs more than ${pad} samples, got ${samples.length}`);
  }
  const columns = Math.floor(nFft / 2) + 1;
  const filters = new FilterBank(melFilters(mel, rate), columns);
  const fft = new Fft(nFft);
  // A window shorter than the transform stands in its middle.
  const before = Math.floor((nFft - win) / 2);
  const window = Float64Array.from({ length: nFft }, (_, n) =>
    n < before || n >= before + win ? 0 : 0.5 - 0.5 * Math.cos((2 * Math.PI * (n - before)) / win),
  );
  const frames = Math.floor((samples.length + 2 * pad - nFft) / hop) + 1;
  const last = samples.length - 1;
  const out = new Float32Array(frames * bins);
  const frame = new Float64Array(nFft);
  const magnitudes = new Float64Array(columns);
  const row = new Float64Array(bins);
  for (let f = 0; f < frames; f++) {
    for (let n = 0; n < nFft; n++) {
      const i = last - Math.abs(last - Math.abs(f * hop + n - pad));
      frame[n] = (window[n] as number) * (samples[i] as number);
    }
    const { re, im } = fft.real(frame);
    for (let k = 0; k < columns; k++) {
      magnitudes[k] = Math.sqrt((re[k] as number) ** 2 + (im[k] as number) ** 2 + POWER_FLOOR);
    }
    filters.apply(magnitudes, row);
    for (let b = 0; b < bins; b++) out[f * bins + b] = Math.log(Math.max(row[b] as number, MEL_FLOOR));
  }
  return out;
}
