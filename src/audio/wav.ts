/** Samples to a WAV file. */
import * as wavefile from "wavefile";
import { InputError } from "../errors.js";

// Bundlers take the package's ES module, which names its class; Node takes its CommonJS build, which hides it in `default`.
const { default: inNode } = wavefile as typeof wavefile & { readonly default?: typeof wavefile };
const { WaveFile } = inNode ?? wavefile;

/** "16" is what every player opens; "32f" keeps the samples as they are. */
export type WavDepth = "16" | "32f";

/**
 * The bytes of a mono WAV file.
 * @param samples within ±1; with 16 bits, louder ones are cut
 * @param sampleRate samples per second
 * @throws InputError for a sample that is not finite or a rate that is not a whole positive number
 */
export function encodeWav(samples: Float32Array, sampleRate: number, depth: WavDepth = "16"): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(sampleRate) || sampleRate <= 0) {
    throw new InputError(`sample rate ${sampleRate} is not a whole number above 0`);
  }
  const bad = samples.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) throw new InputError(`sample ${bad} is ${samples[bad]}; a WAV file holds finite numbers`);
  const file = new WaveFile();
  if (depth === "32f") file.fromScratch(1, sampleRate, depth, samples);
  else file.fromScratch(1, sampleRate, depth, Int16Array.from(samples, toInt16));
  // The library makes the buffer itself; its declarations are older than the distinction.
  return file.toBuffer() as Uint8Array<ArrayBuffer>;
}

/** ±1 becomes ±32767, so that silence stays 0 and both signs are alike. */
function toInt16(v: number): number {
  return Math.round(32_767 * Math.max(-1, Math.min(1, v)));
}
