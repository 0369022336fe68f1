/**
 * The one generator of random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011). It is a function of (seed, stream, index) without state, so that a GPU thread, a replay and a streamed call all draw the
 * same number for the same place.
 *
 *   key     = [seed mod 2³², ⌊seed / 2³²⌋]
 *   counter = [block mod 2³², ⌊block / 2³²⌋, streamId(name), 0]
 *
 * A block gives four 32-bit words; word i of a stream is word i mod 4 of block ⌊i / 4⌋.
 */
import { InputError } from "./errors.js";

export type Words = [number, number, number, number];

const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** Upper 32 bits of the product of two unsigned 32-bit numbers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >>> 16); // below 2³²
  const cross = aLow * bHigh + (middle & 0xffff); // below 2³²
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + (cross >>> 16)) >>> 0;
}

/** Ten rounds of Philox4x32 on `words` (the counter), in place. All values are unsigned 32-bit. */
export function philox(words: Words, key0: number, key1: number): void {
  let [c0, c1, c2, c3] = words;
  let k0 = key0;
  let k1 = key1;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/** FNV-1a of the stream's name (ASCII): its place in the counter. */
export function streamId(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The key of a seed. @throws InputError unless it is an integer from 0 to 2⁵³ − 1. */
export function seedKey(seed: number): readonly [low: number, high: number] {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new InputError(`seed ${seed} is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  return [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
}

/** One named sequence of one seed. Streams of different names are independent. */
export class RandomStream {
  readonly id: number;
  readonly key: readonly [low: number, high: number];
  private readonly words: Words = [0, 0, 0, 0];

  constructor(name: string, seed: number) {
    this.id = streamId(name);
    this.key = seedKey(seed);
  }

  /** The four words of a block. The array is reused by the next call. */
  block(index: number): Readonly<Words> {
    this.words[0] = index % 2 ** 32;
    this.words[1] = Math.floor(index / 2 ** 32);
    this.words[2] = this.id;
    this.words[3] = 0;
    philox(this.words, this.key[0], this.key[1]);
    return this.words;
  }

  /** Number `index` of the stream, uniform in [0, 1) with 24 bits, exact in f32. */
  uniform(index: number): number {
    const words = this.block(Math.floor(index / 4));
    return ((words[index % 4] as number) >>> 8) * 2 ** -24;
  }

  /**
   * Normal numbers `start` to `start + count - 1` of the stream, by Box-Muller on pairs of words: the even one gives the radius,
   * from 23 bits so that its logarithm never sees 0, the odd one the angle.
   */
  gaussian(start: number, count: number): Float32Array {
    const out = new Float32Array(count);
    const last = start + count;
    for (let index = start - (start % 4); index < last; index += 4) {
      const words = this.block(index / 4);
      for (let pair = 0; pair < 4; pair += 2) {
        const radius = Math.sqrt(-2 * Math.log((((words[pair] as number) >>> 9) + 0.5) * 2 ** -23));
        const angle = 2 * Math.PI * (words[pair + 1] as number) * 2 ** -32;
        const at = index + pair - start;
        // Writes before the start or past the end of a typed array are dropped.
        if (at >= 0) out[at] = radius * Math.cos(angle);
        if (at + 1 >= 0) out[at + 1] = radius * Math.sin(angle);
      }
    }
    return out;
  }
}
