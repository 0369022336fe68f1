/** What the vocoder promises beyond parity: windows, seeds, streaming, cancellation. */

import { beforeAll, describe, expect, test } from "vitest";
import { openFolder } from "#platform";
import { type Model, openModel } from "../../src/checkpoint/model.js";
import { CancelledError, InputError } from "../../src/errors.js";
import type { Device } from "../../src/gpu/device.js";
import { VocoderStream } from "../../src/vocoder/streaming.js";
import { Vocoder, windows } from "../../src/vocoder/vocoder.js";
import { BUNDLES } from "../helpers/bundles.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { uniform } from "../helpers/random.js";

test("windows cover every frame once, with what surrounds it, in nearly equal parts", () => {
  for (const [frames, longest, halo] of [
    [1, 5, 2],
    [100, 100, 3],
    [101, 100, 3],
    [1000, 41, 20],
    [7, 3, 5],
  ] as const) {
    const cover = windows(frames, longest, halo);
    expect(
      cover.flatMap(({ keepFrom, keepTo }) => Array.from({ length: keepTo - keepFrom }, (_, i) => keepFrom + i)),
    ).toEqual(Array.from({ length: frames }, (_, i) => i));
    for (const { from, to, keepFrom, keepTo } of cover) {
      expect([from, to]).toEqual(
        cover.length === 1 ? [0, frames] : [Math.max(0, keepFrom - halo), Math.min(frames, keepTo + halo)],
      );
      expect(to - from).toBeLessThanOrEqual(Math.max(longest, 2 * halo + 1));
    }
  }
});

const FRAMES = 45;

// One adapter is enough: what is tested here is bookkeeping above the kernels.
describe("the vocoder", () => {
  let device: Device;
  let model: Model;
  let vocoder: Vocoder;
  const mel = uniform(1, FRAMES * 80, -8, 1);
  beforeAll(async () => {
    device = await testDevice(adapterNames.at(-1) as string);
    model = await openModel(await openFolder(`${BUNDLES[0]?.path}/model`));
    vocoder = await Vocoder.load(device, model);
    return () => {
      vocoder.destroy();
      return model.close();
    };
  });

  test("decodes in overlapping windows what it decodes in one piece", async () => {
    const narrow = await Vocoder.load(device, model, { windowFrames: 44 });
    const source = vocoder.source({ f0: uniform(2, FRAMES, 0, 300), noise: null });
    const whole = await vocoder.decode(mel, source);
    expectClose(await narrow.decode(mel, source), whole, { abs: 1e-6 });
    narrow.destroy();
  });

  test("the same seed gives the same bytes, alone or beside another call; another seed and no noise give others", async () => {
    const before = device.memory.buffers;
    const short = mel.subarray(0, 10 * 80);
    const first = await vocoder.run({ mel: short, seed: 1 });
    const [again, other, silent] = await Promise.all([
      vocoder.run({ mel: short, seed: 1 }),
      vocoder.run({ mel: short, seed: 2 }),
      vocoder.run({ mel: short, seed: 1, sourceNoise: false }),
    ]);
    expect(again.samples).toEqual(first.samples);
    expect(other.samples).not.toEqual(first.samples);
    expect(silent.samples).not.toEqual(first.samples);
    expect(first.samples.every((v) => Math.abs(v) <= Math.fround(0.99))).toBe(true);
    expect(device.memory.buffers).toBe(before);
  });

  test("the noise belongs to a place in the utterance, wherever a chunk starts", async () => {
    const short = mel.subarray(0, 4 * 80);
    const perFrame = vocoder.samplesPerFrame;
    const whole = await vocoder.run({ mel: short, seed: 3 });
    const late = await vocoder.run({ mel: short.subarray(80), seed: 3, firstSample: perFrame });
    const quiet = await vocoder.run({ mel: short, seed: 3, sourceNoise: false });
    const lateQuiet = await vocoder.run({ mel: short.subarray(80), seed: 3, sourceNoise: false });
    const noise = whole.source.map((v, n) => Math.atanh(v) - Math.atanh(quiet.source[n] as number));
    const lateNoise = late.source.map((v, n) => Math.atanh(v) - Math.atanh(lateQuiet.source[n] as number));
    // The pitch sees other neighbours at the cut, and noise is louder where there is no voice: compare frames that agree on that.
    const voiced = (f0: Float32Array, frame: number) => (f0[frame] as number) > vocoder.config.voicedThreshold;
    const alike = [1, 2, 3].filter((frame) => voiced(whole.f0, frame) === voiced(late.f0, frame - 1));
    expect(alike).not.toEqual([]);
    for (const frame of alike) {
      const here = noise.slice(frame * perFrame, (frame + 1) * perFrame);
      expectClose(lateNoise.slice((frame - 1) * perFrame, frame * perFrame), here, { abs: 1e-6 });
    }
  });

  test("a stream repeats eight frames of every chunk, keeps their source and fades them in", async () => {
    const options = { seed: 5, sourceNoise: false };
    const stream = new VocoderStream(vocoder, options);
    const perFrame = vocoder.samplesPerFrame;
    const held = 8 * perFrame;
    const part = (from: number, to: number) => mel.slice(from * 80, to * 80);
    const first = await stream.push(part(0, 12), false);
    const second = await stream.push(part(12, 22), false);
    const third = await stream.push(part(22, 25), true);
    expect([first, second, third].map(({ length }) => length / perFrame)).toEqual([4, 10, 11]);

    const one = await vocoder.run({ ...options, mel: part(0, 12) });
    const two = await vocoder.run({ ...options, mel: part(4, 22), cacheSource: one.source.slice(-held) });
    const three = await vocoder.run({ ...options, mel: part(14, 25), cacheSource: two.source.slice(-held) });
    const window = (n: number) => 0.54 - 0.46 * Math.cos((2 * Math.PI * n) / (2 * held - 1));
    const fade = (now: Float32Array, before: Float32Array) =>
      now.map((v, n) =>
        n < held ? v * window(n) + (before[before.length - held + n] as number) * window(held + n) : v,
      );
    const twoFaded = fade(two.samples, one.samples);
    expectClose(first, one.samples.slice(0, -held), { abs: 1e-7 });
    expectClose(second, twoFaded.slice(0, -held), { abs: 1e-6 });
    expectClose(third, fade(three.samples, twoFaded), { abs: 1e-6 });

    const next = await stream.push(part(0, 3), true);
    expect(next.length, "after a final chunk a new utterance begins").toBe(3 * perFrame);
  });

  test("no frames give no samples", async () => {
    expect(await vocoder.run({ mel: new Float32Array(), seed: 0 })).toEqual({
      samples: new Float32Array(),
      source: new Float32Array(),
      f0: new Float32Array(),
    });
  });

  test("refuses what does not fit, and stops when cancelled, leaving nothing behind", async () => {
    const before = device.memory.buffers;
    const short = mel.subarray(0, 2 * 80);
    await expect(vocoder.decode(short, new Float32Array(7))).rejects.toThrow(InputError);
    await expect(vocoder.f0(mel.subarray(0, 79))).rejects.toThrow(InputError);
    await expect(vocoder.run({ mel: short, seed: 0, cacheSource: new Float32Array(961) })).rejects.toThrow(InputError);
    const controller = new AbortController();
    const running = vocoder.run({ mel, seed: 0, signal: controller.signal });
    controller.abort();
    await expect(running).rejects.toThrow(CancelledError);
    expect(device.memory.buffers).toBe(before);
  });
});
