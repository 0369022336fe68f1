/** What the speech tokenizer and the speaker encoder hear. The golden values are PyTorch's on the same signals. */
import { describe, expect, test } from "vitest";
import { fbank } from "../../src/audio/fbank.js";
import { whisperMel } from "../../src/audio/whisperMel.js";
import { InputError } from "../../src/errors.js";
import { expectClose } from "../helpers/compare.js";
import { uniform } from "../helpers/random.js";

/** A tone that rises from 150 Hz and dies away. */
const chirp = Float32Array.from({ length: 6543 }, (_, n) => {
  const t = n / 16_000;
  return 0.4 * Math.sin(2 * Math.PI * (150 * t + 1500 * t * t)) * Math.exp(-((t - 0.2) ** 2) / 0.02);
});

/** Two tones, one second. */
const tones = Float32Array.from(
  { length: 16_000 },
  (_, n) => 0.5 * Math.sin((2 * Math.PI * 220 * n) / 16_000) + 0.25 * Math.sin((2 * Math.PI * 1234.5 * n) / 16_000),
);

const mean = (values: Float32Array) => values.reduce((sum, v) => sum + v, 0) / values.length;
/** Eight values spread over an array. */
const places = (values: ArrayLike<number>) =>
  Array.from({ length: 8 }, (_, k) => values[Math.floor(((k + 0.5) * values.length) / 8)] as number);

/** [frames, bins] → [bins, frames] */
function channelFirst(values: Float32Array, frames: number): Float32Array {
  const bins = values.length / frames;
  return values.map((_, i) => values[(i % frames) * bins + Math.floor(i / frames)] as number);
}

describe("whisperMel", () => {
  test.each([
    [tones, [1.29507, 0.38489, 0.79548, 0.89987, 0.5325, 0.33239, 0.18126, 0.07737], -0.204369],
    [chirp, [0.87649, 0.08492, -0.01324, -0.2345, -0.39376, -0.54984, -0.56534, -0.56534], -0.3776076],
  ])("has upstream's values", (signal, want, average) => {
    const { mel, frames } = whisperMel(signal);
    expect([frames, mel.length]).toEqual([Math.floor(signal.length / 160), frames * 128]);
    expectClose(places(channelFirst(mel, frames)), want, { abs: 2e-5 });
    expect(mean(mel)).toBeCloseTo(average, 5);
  });

  test("nothing lies more than eight powers of ten under the loudest, and silence is flat", () => {
    const { mel } = whisperMel(Float32Array.from([...new Float32Array(4000), ...chirp]));
    expect(Math.max(...mel) - Math.min(...mel)).toBeCloseTo(2, 6);
    expect(new Set(whisperMel(new Float32Array(800)).mel)).toEqual(new Set([-1.5]));
  });

  test("a louder signal has the same shape", () => {
    const noise = uniform(1, 3000);
    const [a, b] = [whisperMel(noise).mel, whisperMel(noise.map((v) => 0.25 * v)).mel];
    const shift = (2 * Math.log10(4)) / 4;
    expectClose(
      b.map((v) => v + shift),
      a,
      { abs: 1e-6 },
    );
  });

  test("refuses a signal that cannot be mirrored", () => {
    expect(() => whisperMel(new Float32Array(200))).toThrow(InputError);
    expect(whisperMel(new Float32Array(201)).frames).toBe(1);
  });
});

describe("fbank", () => {
  test("has Kaldi's values, the mean removed", () => {
    const out = fbank(chirp);
    expect(out.length).toBe(39 * 80);
    expectClose(places(out), [-3.23062, -6.74477, 9.69145, 0.65178, 0, 0, 0, -0.02009], { abs: 2e-4 });
    expect(mean(out.map(Math.abs))).toBeCloseTo(2.023259, 4);
  });

  test("every bin has mean zero, and neither a gain nor an offset matters", () => {
    const noise = uniform(2, 4321);
    const out = fbank(noise);
    const frames = out.length / 80;
    for (let b = 0; b < 80; b++) {
      let sum = 0;
      for (let f = 0; f < frames; f++) sum += out[f * 80 + b] as number;
      expect(Math.abs(sum / frames)).toBeLessThan(1e-6);
    }
    const changed = fbank(noise.map((v) => 0.5 * v + 0.25));
    expectClose(changed, out, { abs: 1e-4 });
  });

  test("one frame is its own mean; less is refused", () => {
    expect(fbank(chirp.subarray(1000, 1400))).toEqual(new Float32Array(80));
    expect(fbank(chirp.subarray(1000, 1559))).toHaveLength(80);
    expect(() => fbank(new Float32Array(399))).toThrow(InputError);
  });
});
