import { describe, expect, test } from "vitest";
import { InputError } from "../src/errors.js";
import { philox, RandomStream } from "../src/random.js";

describe("philox", () => {
  // Known answers of the authors' Random123 distribution (kat_vectors, philox4x32 10).
  test.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])("counter %o with key %o", (counter, key, want) => {
    const words = [...counter] as [number, number, number, number];
    philox(words, key[0] as number, key[1] as number);
    expect(words).toEqual(want);
  });
});

describe("RandomStream", () => {
  test("a slice of the normal numbers is the same wherever it starts", () => {
    const stream = new RandomStream("test", 7);
    const whole = stream.gaussian(0, 50);
    for (const start of [0, 1, 2, 3, 5]) {
      for (const count of [0, 1, 2, 6, 41]) {
        expect(stream.gaussian(start, count)).toEqual(whole.slice(start, start + count));
      }
    }
  });

  test("normal numbers have mean 0, variance 1 and the right tails", () => {
    const values = new RandomStream("test", 1).gaussian(0, 200_000);
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const variance = values.reduce((sum, v) => sum + v * v, 0) / values.length;
    const beyond2 = values.reduce((sum, v) => sum + (Math.abs(v) > 2 ? 1 : 0), 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(variance).toBeCloseTo(1, 1);
    expect(beyond2).toBeCloseTo(0.0455, 2);
  });

  test("uniform numbers stay in [0, 1) and average one half", () => {
    const stream = new RandomStream("test", 2);
    const values = Array.from({ length: 20_000 }, (_, i) => stream.uniform(i));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(values.reduce((sum, v) => sum + v, 0) / values.length).toBeCloseTo(0.5, 2);
  });

  test("names and seeds give different streams; the upper half of a seed counts", () => {
    const first = (name: string, seed: number) => new RandomStream(name, seed).uniform(0);
    const values = [first("a", 0), first("b", 0), first("a", 1), first("a", 2 ** 32)];
    expect(new Set(values).size).toBe(4);
    expect(first("a", 2 ** 40 + 3)).toBe(first("a", 2 ** 40 + 3));
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 60])("refuses seed %d", (seed) => {
    expect(() => new RandomStream("a", seed)).toThrow(InputError);
  });
});
