import { describe, expect, test } from "vitest";
import type { VocoderConfig } from "../../src/config.js";
import { InputError } from "../../src/errors.js";
import { framePhases, harmonicSource } from "../../src/vocoder/source.js";
import { expectClose } from "../helpers/compare.js";
import { uniform } from "../helpers/random.js";

const RATE = 24_000;
const CONFIG = {
  overtones: 8,
  sineAmp: 0.1,
  noiseStd: 0.003,
  voicedThreshold: 10,
  upRates: [8, 5, 3],
  hop: 4,
} as unknown as VocoderConfig;
const PER_FRAME = 480;
const SINES = 9;
const only = (h: number) => ({ weight: Float32Array.from({ length: SINES }, (_, i) => (i === h ? 1 : 0)), bias: 0 });

describe("harmonicSource", () => {
  test.each([0, 4, 8])("a steady f0 gives sine %d its multiple of it, from the middle of the first frame on", (h) => {
    const f0 = new Float32Array(20).fill(150);
    const source = harmonicSource(f0, null, only(h), CONFIG, RATE);
    const step = (150 * (h + 1)) / RATE;
    // The phase is held for half a frame at both ends; its value at the middle of frame 0 is one frame's worth.
    const want = Float64Array.from({ length: source.length }, (_, n) => {
      const at = Math.min(Math.max(n + 0.5 - PER_FRAME / 2, 0), 19 * PER_FRAME);
      return Math.tanh(0.1 * Math.sin(2 * Math.PI * step * (at + PER_FRAME)));
    });
    expectClose(source, want, { abs: 1e-4 });
  });

  test("unvoiced frames hold noise alone, louder than the noise of voiced ones", () => {
    const f0 = new Float32Array([0, 10, 200, 9.9]);
    const noise = uniform(1, 4 * PER_FRAME * SINES);
    const quiet = harmonicSource(f0, null, only(2), CONFIG, RATE);
    expect(quiet.subarray(0, 2 * PER_FRAME).every((v) => v === 0)).toBe(true);
    expect(quiet.subarray(3 * PER_FRAME).every((v) => v === 0)).toBe(true);
    const noisy = harmonicSource(f0, noise, only(2), CONFIG, RATE);
    const want = Float64Array.from(noisy, (_, n) => {
      const sine = Math.atanh(quiet[n] as number);
      const amplitude = n >= 2 * PER_FRAME && n < 3 * PER_FRAME ? 0.003 : 0.1 / 3;
      return Math.tanh(sine + amplitude * (noise[n * SINES + 2] as number));
    });
    expectClose(noisy, want, { abs: 1e-7 });
  });

  test("phases stay near the exact integral for a minute of speech, as near as f32 lets the reference be", () => {
    const f0 = uniform(3, 3000, 80, 300);
    const phases = framePhases(f0, SINES, RATE, PER_FRAME);
    let exact = 0;
    let worst = 0;
    for (let i = 0; i < f0.length; i++) {
      exact += (((f0[i] as number) * SINES) / RATE) % 1;
      const got = phases[i * SINES + SINES - 1] as number;
      worst = Math.max(worst, Math.abs(got / (480 * 2 * Math.PI) / exact - 1));
    }
    expect(worst).toBeLessThan(4e-7);
  });

  test("no frames give no samples; noise of the wrong length is refused", () => {
    expect(harmonicSource(new Float32Array(), null, only(0), CONFIG, RATE).length).toBe(0);
    expect(() => harmonicSource(new Float32Array(2), new Float32Array(5), only(0), CONFIG, RATE)).toThrow(InputError);
  });
});
