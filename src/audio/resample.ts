/** Change of the sample rate (torchaudio's `Resample` with its defaults: a sinc under a Hann window). */
import { InputError } from "../errors.js";

/** Zero crossings of the sinc on each side, and where it cuts as a part of the lower Nyquist frequency. */
const ZERO_CROSSINGS = 6;
const ROLLOFF = 0.99;

/** The highest rate that sound is sold in; and the most samples that may come out. */
const MAX_RATE = 768_000;
const MAX_SAMPLES = 2 ** 27;

/**
 * @param samples mono, at `from` samples per second
 * @returns at `to` samples per second: ⌈samples · to / from⌉ of them
 * @throws InputError for a rate that is no whole number from 1 to 768000, or when too many samples would come out
 */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  for (const rate of [from, to]) {
    if (!Number.isInteger(rate) || rate < 1 || rate > MAX_RATE) {
      throw new InputError(`sample rate ${rate} is not a whole number from 1 to ${MAX_RATE}`);
    }
  }
  if (from === to) return samples;
  const common = greatestCommonDivisor(from, to);
  const [o, n] = [from / common, to / common];
  const length = Math.ceil((n * samples.length) / o);
  if (length > MAX_SAMPLES) {
    throw new InputError(
      `${samples.length} samples at ${from} Hz become ${length} at ${to} Hz, more than ${MAX_SAMPLES}`,
    );
  }
  const out = new Float32Array(length);
  const base = ROLLOFF * Math.min(o, n);
  const reach = (ZERO_CROSSINGS * o) / base; // input samples on each side of an output
  // Output q·n + p lies p/n of a step after input q·o: all outputs of one phase p share their coefficients.
  for (let p = 0; p < Math.min(n, length); p++) {
    const shift = Math.fround(-p / n);
    const first = Math.ceil((p * o) / n - reach);
    const taps = Math.floor((p * o) / n + reach) - first + 1;
    const kernel = Float32Array.from({ length: taps }, (_, m) =>
      coefficient((shift + (first + m) / o) * base, base / o),
    );
    for (let at = p, start = first; at < length; at += n, start += o) {
      let sum = 0;
      const end = Math.min(taps, samples.length - start);
      for (let m = Math.max(0, -start); m < end; m++) sum += (kernel[m] as number) * (samples[start + m] as number);
      out[at] = sum;
    }
  }
  return out;
}

/** @param t zero crossings from the middle */
function coefficient(t: number, gain: number): number {
  if (Math.abs(t) >= ZERO_CROSSINGS) return 0;
  const sinc = t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t);
  return sinc * Math.cos((Math.PI * t) / (2 * ZERO_CROSSINGS)) ** 2 * gain;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
