/** Seeded random numbers for tests: the same on every machine. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` values uniform in [low, high). */
export function uniform(seed: number, count: number, low = -1, high = 1): Float32Array {
  const next = seeded(seed);
  return Float32Array.from({ length: count }, () => low + (high - low) * next());
}
