/** Joins pieces of speech that were made one by one. */

/**
 * One signal from several pieces, one after the other, empty ones left out.
 * @param ramp samples over which each piece rises at its start and falls at its end where it meets another, so that no step is heard
 */
export function joinSamples(pieces: readonly Float32Array[], ramp: number): Float32Array<ArrayBuffer> {
  const parts = pieces.filter((piece) => piece.length > 0);
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const [i, part] of parts.entries()) {
    const fadeIn = i === 0 ? 0 : Math.min(ramp, part.length);
    const fadeOut = i === parts.length - 1 ? 0 : Math.min(ramp, part.length);
    for (let n = 0; n < part.length; n++) {
      out[start + n] = rise(n, fadeIn) * rise(part.length - 1 - n, fadeOut) * (part[n] as number);
    }
    start += part.length;
  }
  return out;
}

/** Raised cosine from 0 to 1 over `length` samples. */
function rise(n: number, length: number): number {
  return n >= length ? 1 : 0.5 - 0.5 * Math.cos((Math.PI * (n + 0.5)) / length);
}
