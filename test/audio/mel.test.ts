import { describe, expect, test } from "vitest";
import { mel24k, melFilters } from "../../src/audio/mel.js";
import { InputError } from "../../src/errors.js";
import { expectClose } from "../helpers/compare.js";

const RATE = 24_000;
const MEL = { nFft: 1920, hop: 480, win: 1920, bins: 80, fMin: 0, fMax: 8000 };

/** Two sines, one second: golden values of upstream's extractor on this signal, 8 of them spread over [bins, frames], and the mean. */
const signal = Float32Array.from(
  { length: RATE },
  (_, n) => 0.5 * Math.sin((2 * Math.PI * 220 * n) / RATE) + 0.25 * Math.sin((2 * Math.PI * 1234.5 * n) / RATE),
);

describe("mel24k", () => {
  test.each([
    [8000, [2.28919, -2.967, -1.56141, -1.02226, -2.63368, -3.57623, -4.359, -5.01981], -8.392184],
    [null, [1.68654, -4.41025, -0.71949, -1.96962, -3.22724, -4.15909, -4.93634, -5.48419], -8.69567],
  ])("up to %s Hz it has upstream's values", (fMax, want, mean) => {
    const mel = mel24k(signal, { ...MEL, fMax }, RATE);
    const frames = 50;
    expect(mel.length).toBe(frames * MEL.bins);
    const got = want.map((_, k) => {
      const flat = Math.floor(((k + 0.5) * mel.length) / want.length); // in [bins, frames]
      return mel[(flat % frames) * MEL.bins + Math.floor(flat / frames)] as number;
    });
    expectClose(got, want, { abs: 2e-5 });
    expect(mel.reduce((sum, v) => sum + v, 0) / mel.length).toBeCloseTo(mean, 4);
  });

  test("has a frame for every whole hop, and the floor where there is silence", () => {
    const mel = mel24k(new Float32Array(2399), MEL, RATE);
    expect(mel.length).toBe(4 * MEL.bins);
    for (const v of mel) expect(v).toBeLessThan(Math.log(1e-4));
  });

  test("refuses a signal that cannot be mirrored", () => {
    expect(() => mel24k(new Float32Array(720), MEL, RATE)).toThrow(InputError);
    expect(mel24k(new Float32Array(721), MEL, RATE).length).toBe(MEL.bins);
  });
});

test("melFilters has librosa's sum, peak and corner", () => {
  const filters = melFilters(MEL, RATE);
  expect(filters.reduce((sum, v) => sum + v, 0)).toBeCloseTo(6.3998916, 5);
  expect(Math.max(...filters)).toBeCloseTo(0.0266654, 6);
  expect(filters[1]).toBeCloseTo(0.0090138, 6);
  const lastRow = [...filters.subarray(79 * 961)];
  expect([lastRow.findIndex((v) => v > 0), lastRow.findLastIndex((v) => v > 0)]).toEqual([593, 639]);
});
