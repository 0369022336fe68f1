/** Damaged copies of a file, and what reading them may do: give something valid, or one of the library's own errors. */
import { expect } from "vitest";
import { CosyVoiceError } from "../../src/errors.js";
import { seeded } from "./random.js";

/** Copies of each file. */
export const MUTATIONS = 500;
const SLOWEST_MS = 10_000;
/** How much the process may grow over all copies of one file: they are under 1 MB, and garbage stays for a while. */
const MOST_GROWTH = 256 * 2 ** 20;
/** The share of damage that falls on the head of a file that is mostly numbers. */
const IN_HEAD = 0.75;

/** A damaged copy: cut, with flipped bits, a hostile number, or a piece moved, doubled, dropped or zeroed. */
function mutate(original: Uint8Array, random: () => number, head: number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  const bytes = new Uint8Array(original);
  const place = () => below(head < bytes.length && random() < IN_HEAD ? head : bytes.length);
  const at = place();
  const length = 1 + below(Math.min(64, bytes.length - at));
  switch (below(8)) {
    case 0:
      return bytes.slice(0, at);
    case 1: {
      for (let i = 1 + below(8); i > 0; i--) {
        const flipped = place();
        bytes[flipped] = (bytes[flipped] ?? 0) ^ (1 << below(8));
      }
      return bytes;
    }
    case 2: {
      const hostile = [0xffffffffffffffffn, 1n << 60n, 1n << 63n, 0x7fffffffn, 0xffffffffn, 1n << 31n, 0n];
      const number = hostile[below(hostile.length)] ?? 0n;
      const width = [1, 2, 4, 8][below(4)] ?? 4;
      for (let i = 0; i < width && at + i < bytes.length; i++) bytes[at + i] = Number((number >> BigInt(8 * i)) & 255n);
      return bytes;
    }
    case 3:
      return Uint8Array.from([...bytes.slice(0, at), ...bytes.slice(at + length)]);
    case 4:
      return Uint8Array.from([...bytes.slice(0, at + length), ...bytes.slice(at)]);
    case 5:
      return bytes.fill(0, at, at + length);
    case 6: {
      bytes.copyWithin(below(bytes.length), at, at + length);
      return bytes;
    }
    default: {
      // A digit, quote or bracket of a text format becomes another one.
      const letters = new TextEncoder().encode('0123456789-+eE.,:[]{}"\\/<>*&!');
      bytes[at] = letters[below(letters.length)] ?? 0;
      return bytes;
    }
  }
}

/**
 * Feeds damaged copies of `original` to `read` and counts how many were refused.
 * @param head bytes at the start in which most of the damage falls; default all
 */
export async function fuzz(
  original: Uint8Array,
  seed: number,
  read: (bytes: Uint8Array) => Promise<void>,
  head = original.length,
): Promise<number> {
  await read(original); // the control: undamaged, it parses
  const random = seeded(seed);
  const peak = peakBytes();
  let refused = 0;
  for (let i = 0; i < MUTATIONS; i++) {
    const start = performance.now();
    try {
      await read(mutate(original, random, head));
    } catch (error) {
      if (!(error instanceof CosyVoiceError))
        throw new Error(`mutation ${i} of seed ${seed}: ${error instanceof Error ? error.stack : error}`);
      if (/\p{Cc}/u.test(error.message))
        expect.fail(`a message with control characters: ${JSON.stringify(error.message)}`);
      if (error.message.length > 4000) expect.fail(`a message of ${error.message.length} characters: ${error.message}`);
      refused++;
    }
    expect(performance.now() - start).toBeLessThan(SLOWEST_MS);
  }
  expect(peakBytes() - peak).toBeLessThan(MOST_GROWTH);
  return refused;
}

/** The most memory that this process has had. */
function peakBytes(): number {
  return 1024 * process.resourceUsage().maxRSS;
}
