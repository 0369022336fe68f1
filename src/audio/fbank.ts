/** The filterbank that the speaker encoder listens in (Kaldi's defaults as in torchaudio, `compliance.kaldi.fbank`, no dither). */
import { InputError } from "../errors.js";
import { Fft } from "./fft.js";
import { FilterBank } from "./filterBank.js";

const RATE = 16_000;
/** 25 ms every 10 ms. */
const FRAME = 400;
const HOP = 160;
const N_FFT = 512;
/** What CAM++ takes. */
export const FBANK_BINS = 80;
const LOW_HZ = 20;
const PRE_EMPHASIS = 0.97;
/** Povey's window: a symmetric Hann window to this power. */
const WINDOW_POWER = 0.85;
/** Machine epsilon of f32. Samples are within ±1 and not scaled to 16 bits as in Kaldi, so quiet bins do reach it. */
const ENERGY_FLOOR = 2 ** -23;

/** Triangles evenly spaced and linear on Kaldi's mel scale: [bins, N_FFT / 2 + 1], the last column unused. */
function kaldiFilters(bins: number): FilterBank {
  const mel = (hz: number) => 1127 * Math.log1p(hz / 700);
  const columns = N_FFT / 2 + 1;
  const step = (mel(RATE / 2) - mel(LOW_HZ)) / (bins + 1);
  const weights = new Float32Array(bins * columns);
  for (let b = 0; b < bins; b++) {
    const left = mel(LOW_HZ) + b * step;
    for (let k = 0; k < N_FFT / 2; k++) {
      const point = mel((k * RATE) / N_FFT);
      weights[b * columns + k] = Math.max(0, Math.min(point - left, left + 2 * step - point) / step);
    }
  }
  return new FilterBank(weights, columns);
}

/**
 * @param samples16k mono, at 16 kHz
 * @returns log energies [1 + ⌊(samples − 400) / 160⌋, bins], the mean of each bin over time removed
 * @throws InputError for less than one frame
 */
export function fbank(samples16k: Float32Array, bins = FBANK_BINS): Float32Array {
  if (samples16k.length < FRAME) {
    throw new InputError(`a filterbank needs at least ${FRAME} samples, got ${samples16k.length}`);
  }
  const filters = kaldiFilters(bins);
  const fft = new Fft(N_FFT);
  const window = Float64Array.from(
    { length: FRAME },
    (_, n) => (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / (FRAME - 1))) ** WINDOW_POWER,
  );
  const frames = 1 + Math.floor((samples16k.length - FRAME) / HOP);
  const logs = new Float32Array(frames * bins);
  const sums = new Float64Array(bins);
  const frame = new Float64Array(N_FFT); // zeros after the window
  const power = new Float64Array(filters.columns);
  const row = new Float64Array(bins);
  for (let f = 0; f < frames; f++) {
    const piece = samples16k.subarray(f * HOP, f * HOP + FRAME);
    const mean = piece.reduce((sum, v) => sum + v, 0) / FRAME;
    for (let n = 0; n < FRAME; n++) {
      const before = (piece[Math.max(0, n - 1)] as number) - mean;
      frame[n] = (window[n] as number) * ((piece[n] as number) - mean - PRE_EMPHASIS * before);
    }
    const { re, im } = fft.real(frame);
    for (let k = 0; k < power.length; k++) power[k] = (re[k] as number) ** 2 + (im[k] as number) ** 2;
    filters.apply(power, row);
    for (let b = 0; b < bins; b++) {
      const log = Math.fround(Math.log(Math.max(row[b] as number, ENERGY_FLOOR)));
      logs[f * bins + b] = log;
      sums[b] = (sums[b] as number) + log;
    }
  }
  return logs.map((log, i) => log - (sums[i % bins] as number) / frames);
}
