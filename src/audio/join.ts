/** Joins pieces of speech that were made one by one. */
import { InputError } from "../errors.js";

export interface JoinOptions {
  /** Samples of overlap between neighbours, faded from one into the other. Default 0: one after the other. */
  readonly overlap?: number;
  /** Samples over which each piece rises at its start and falls at its end where it meets another, so that no step is heard. */
  readonly ramp?: number;
  /** Samples of silence between neighbours. */
  readonly pause?: number;
}

/**
 * One signal from several pieces, empty ones left out. With `overlap` the end of one is cross-faded into the start of the next (raised
 * cosine; the two gains add to 1); with `ramp` and `pause` they are set apart by silence instead.
 * @throws InputError when both ways are asked for at once
 */
export function joinSamples(pieces: readonly Float32Array[], options: JoinOptions = {}): Float32Array {
  const { overlap = 0, ramp = 0, pause = 0 } = options;
  if (overlap > 0 && (ramp > 0 || pause > 0)) {
    throw new InputError(`join: an overlap of ${overlap} samples leaves no place for a ramp or a pause; choose one`);
  }
  const parts = pieces.filter((piece) => piece.length > 0);
  // Where each piece starts. An overlap is never longer than either of the two that share it.
  const shared = parts.map((part, i) => Math.min(overlap, part.length, parts[i - 1]?.length ?? 0));
  let length = 0;
  const starts = parts.map((part, i) => {
    const start = i === 0 ? 0 : length - (shared[i] as number) + pause;
    length = start + part.length;
    return start;
  });
  const out = new Float32Array(length);
  for (const [i, part] of parts.entries()) {
    const fadeIn = i === 0 ? 0 : (shared[i] as number) || Math.min(ramp, part.length);
    const fadeOut = i === parts.length - 1 ? 0 : (shared[i + 1] as number) || Math.min(ramp, part.length);
    const start = starts[i] as number;
    for (let n = 0; n < part.length; n++) {
      const gain = rise(n, fadeIn) * rise(part.length - 1 - n, fadeOut);
      out[start + n] = (out[start + n] as number) + gain * (part[n] as number);
    }
  }
  return out;
}

/** Raised cosine from 0 to 1 over `length` samples; rise(n) + rise(length − 1 − n) is 1. */
function rise(n: number, length: number): number {
  return n >= length ? 1 : 0.5 - 0.5 * Math.cos((Math.PI * (n + 0.5)) / length);
}
