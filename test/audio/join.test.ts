import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { joinSamples } from "../../src/audio/join.js";
import { InputError } from "../../src/errors.js";

const steady = (length: number) => new Float32Array(length).fill(1);

describe("joinSamples", () => {
  test("puts one piece after the other", () => {
    const pieces = [new Float32Array([1, 2]), new Float32Array(), new Float32Array([3])];
    expect([...joinSamples(pieces)]).toEqual([1, 2, 3]);
    expect(joinSamples([]).length).toBe(0);
  });

  test("a cross-fade of a steady signal stays steady", () => {
    const joined = joinSamples([steady(50), steady(40), steady(30)], { overlap: 10 });
    expect(joined.length).toBe(100);
    for (const v of joined) expect(v).toBeCloseTo(1, 5);
  });

  test("with a ramp and a pause nothing steps where pieces meet, and the outer ends stay", () => {
    const joined = joinSamples([steady(200), steady(200)], { ramp: 100, pause: 20 });
    expect(joined.length).toBe(420);
    expect([...joined.subarray(200, 220)]).toEqual(new Array(20).fill(0));
    expect([joined[0], joined.at(-1)]).toEqual([1, 1]);
    for (let n = 1; n < joined.length; n++) {
      expect(Math.abs((joined[n] as number) - (joined[n - 1] as number))).toBeLessThan(0.02);
    }
  });

  test("pieces shorter than the fades never grow louder", () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 6 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 0, max: 20 }), (sizes, fade) => {
        for (const options of [{ ramp: fade }, { ramp: fade, pause: 3 }]) {
          for (const v of joinSamples(sizes.map(steady), options)) expect(v).toBeLessThanOrEqual(1);
        }
        const total = sizes.reduce((sum, size) => sum + size, 0);
        expect(joinSamples(sizes.map(steady), { overlap: fade }).length).toBeLessThanOrEqual(total);
      }),
    );
  });

  test("refuses an overlap together with a pause", () => {
    expect(() => joinSamples([steady(3)], { overlap: 1, pause: 1 })).toThrow(InputError);
  });
});
