import { allowed } from "./chunkAttention.js";

/** mask[query, key] of 0 and 1. */
export function attentionMask(frames: number, chunk: number): Uint32Array {
  return Uint32Array.from({ length: frames * frames }, (_, item) =>
    Number(allowed(Math.floor(item / frames), item % frames, frames, chunk)),
  );
}
