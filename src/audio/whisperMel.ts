/** The log-mel spectrogram that the speech tokenizer listens in (openai-whisper, `log_mel_spectrogram`). */
import { InputError } from "../errors.js";
import { Fft } from "./fft.js";
import { FilterBank } from "./filterBank.js";
import { melFilters } from "./mel.js";

const RATE = 16_000;
const N_FFT = 400;
const HOP = 160;
const BINS = 128;

/** Smallest mel power before its logarithm, and how far below the loudest value everything is cut (in powers of ten). */
const POWER_FLOOR = 1e-10;
const RANGE = 8;

export interface WhisperMel {
  /** [frames, bins] */
  readonly mel: Float32Array;
  readonly frames: number;
}

/**
 * Levels are relative to the loudest value of the whole signal, so a piece has other features than the same piece of a longer
 * signal. Nothing is padded to 30 s.
 * @param samples16k mono, at 16 kHz
 * @returns mel [⌊samples / 160⌋, bins]
 * @throws InputError for a signal too short to be mirrored at its ends
 */
export function whisperMel(samples16k: Float32Array, bins = BINS): WhisperMel {
  const pad = N_FFT / 2;
  if (samples16k.length <= pad) {
    throw new InputError(`a Whisper spectrogram needs more than ${pad} samples, got ${samples16k.length}`);
  }
  const columns = N_FFT / 2 + 1;
  const range = { nFft: N_FFT, bins, fMin: 0, fMax: RATE / 2 };
  const filters = new FilterBank(melFilters(range, RATE), columns);
  const fft = new Fft(N_FFT);
  const window = Float64Array.from({ length: N_FFT }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / N_FFT));
  const frames = Math.floor(samples16k.length / HOP); // one more would be centred on the end; it is dropped
  const last = samples16k.length - 1;
  const logs = new Float32Array(frames * bins);
  const frame = new Float64Array(N_FFT);
  const power = new Float64Array(columns);
  const row = new Float64Array(bins);
  let loudest = Number.NEGATIVE_INFINITY;
  for (let f = 0; f < frames; f++) {
    for (let n = 0; n < N_FFT; n++) {
      const i = last - Math.abs(last - Math.abs(f * HOP + n - pad));
      frame[n] = (window[n] as number) * (samples16k[i] as number);
    }
    const { re, im } = fft.real(frame);
    for (let k = 0; k < columns; k++) power[k] = (re[k] as number) ** 2 + (im[k] as number) ** 2;
    filters.apply(power, row);
    for (let b = 0; b < bins; b++) {
      const log = Math.log10(Math.max(row[b] as number, POWER_FLOOR));
      logs[f * bins + b] = log;
      loudest = Math.max(loudest, log);
    }
  }
  return { mel: logs.map((log) => (Math.max(log, loudest - RANGE) + 4) / 4), frames };
}
