import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resample } from "../../src/audio/resample.js";
import { InputError } from "../../src/errors.js";
import { expectClose } from "../helpers/compare.js";
import { uniform } from "../helpers/random.js";

const places = (values: Float32Array) =>
  Array.from({ length: 8 }, (_, k) => values[Math.floor(((k + 0.5) * values.length) / 8)] as number);

function tones(rate: number): Float32Array {
  return Float32Array.from(
    { length: rate },
    (_, n) => 0.5 * Math.sin((2 * Math.PI * 220 * n) / rate) + 0.25 * Math.sin((2 * Math.PI * 1234.5 * n) / rate),
  );
}

/** torchaudio's kernel as it is defined: a table of every phase and tap, slid over the padded signal. */
function byDefinition(samples: Float32Array, from: number, to: number): Float64Array {
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  const [o, n] = [from / divisor(from, to), to / divisor(from, to)];
  const base = 0.99 * Math.min(o, n);
  const width = Math.ceil((6 * o) / base);
  return Float64Array.from({ length: Math.ceil((n * samples.length) / o) }, (_, at) => {
    const [p, q] = [at % n, Math.floor(at / n)];
    let sum = 0;
    for (let m = -width; m < width + o; m++) {
      const t = Math.max(-6, Math.min(6, (Math.fround(-p / n) + m / o) * base));
      const sinc = t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t);
      const coefficient = (sinc * Math.cos((Math.PI * t) / 12) ** 2 * base) / o;
      sum += Math.fround(coefficient) * (samples[q * o + m] ?? 0);
    }
    return sum;
  });
}

describe("resample", () => {
  test.each([
    [16_000, 24_000, [-0.29216, 0.54878, -0.74519, 0.6389, -0.36113, 0.25483, -0.45124, 0.70787]],
    [44_100, 24_000, [-0.2924, 0.54898, -0.74536, 0.63908, -0.36136, 0.25508, -0.45145, 0.70804]],
    [48_000, 16_000, [-0.29244, 0.54895, -0.74527, 0.63902, -0.36138, 0.25514, -0.45145, 0.70796]],
  ])("from %s to %s Hz it has torchaudio's values", (from, to, want) => {
    const out = resample(tones(from), from, to);
    expect(out.length).toBe(to);
    expectClose(places(out), want, { abs: 1e-5 });
  });

  test("is the definition, for any rates and any length", () => {
    const rate = fc.integer({ min: 1, max: 60 });
    fc.assert(
      fc.property(rate, rate, fc.integer({ min: 0, max: 150 }), (from, to, length) => {
        fc.pre(from !== to);
        const samples = uniform(length, length);
        expectClose(resample(samples, from, to), byDefinition(samples, from, to), { abs: 2e-6 });
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  test("keeps what both rates can carry: up and down again is the same signal", () => {
    const signal = tones(16_000);
    const back = resample(resample(signal, 16_000, 48_000), 48_000, 16_000);
    expectClose(back.subarray(200, -200), signal.subarray(200, -200), { abs: 1e-3 });
  });

  test("the same rate is the same signal; rates without a common divisor need no large table", () => {
    const signal = tones(16_000);
    expect(resample(signal, 16_000, 16_000)).toBe(signal);
    expect(resample(signal, 47_999, 24_000).length).toBe(Math.ceil((24_000 * 16_000) / 47_999));
  });

  test("refuses rates that are none, and lengths beyond all bounds", () => {
    const signal = new Float32Array(1000);
    for (const rate of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
      expect(() => resample(signal, rate, 16_000)).toThrow(InputError);
      expect(() => resample(signal, 16_000, rate)).toThrow(InputError);
    }
    expect(() => resample(signal, 1, 768_000)).toThrow("more than");
  });
});
