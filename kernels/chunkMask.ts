/**
 * WGSL and TypeScript of the attention mask of the flow, in one place: with chunk C, query i sees the keys before the end of its own
 * chunk, ⌊i / C⌋ · C + C. The paper's four masks are this one number:
 *
 *   full: C ≥ T      full-causal: C = 1      chunk-M: C = M      chunk-2M: C = 2M
 *
 * There is no limit to the left.
 */

/** WGSL: `keysOf(i)` is the number of keys that query i sees, `allowed(i, j)` the mask. Needs params `frames` and `chunk` ≥ 1. */
export const chunkMask = `fn keysOf(i: u32) -> u32 { return min(params.frames, (i / params.chunk + 1u) * params.chunk); }
fn allowed(i: u32, j: u32) -> bool { return j < keysOf(i); }`;

/** The params of a mask over `frames`; no chunk is full attention. */
export function maskParams(frames: number, chunk: number | undefined): { frames: number; chunk: number } {
  // A chunk longer than the sequence is the sequence: the product above must not overflow.
  return { frames, chunk: Math.max(1, Math.min(chunk ?? frames, frames)) };
}
