import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joinSamples } from "../../src/audio/join.js";

const steady = (length: number) => new Float32Array(length).fill(1);

describe("joinSamples", () => {
  test("puts one piece after the other", () => {
    const pieces = [new Float32Array([1, 2]), new Float32Array(), new Float32Array([3])];
    expect([...joinSamples(pieces, 0)]).toEqual([1, 2, 3]);
    expect(joinSamples([], 5).length).toBe(0);
  });

  test("with a ramp nothing steps where pieces meet, and the outer ends stay", () => {
    const joined = joinSamples([steady(200), steady(200)], 100);
    expect(joined.length).toBe(400);
    expect([joined[0], joined.at(-1)]).toEqual([1, 1]);
    for (let n = 1; n < joined.length; n++) {
      expect(Math.abs((joined[n] as number) - (joined[n - 1] as number))).toBeLessThan(0.02);
    }
  });

  test("keeps the length, and pieces shorter than the ramp never grow louder", () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 6 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 0, max: 20 }), (sizes, ramp) => {
        const joined = joinSamples(sizes.map(steady), ramp);
        expect(joined.length).toBe(sizes.reduce((sum, size) => sum + size, 0));
        for (const v of joined) expect(v).toBeLessThanOrEqual(1);
      }),
    );
  });
});
