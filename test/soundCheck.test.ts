/** `doctor --listen` in the library: a model that speaks its sample again passes, one that speaks something else does not. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encodeWav } from "../src/audio/wav.js";
import { CosyVoice } from "../src/index.js";
import { soundCheck } from "../src/soundCheck.js";
import { adapterNames } from "./helpers/device.js";
import { memoryFolder } from "./helpers/memoryFiles.js";
import { TINY } from "./helpers/tinyModel.js";

const text = "Yes.";

describe("sound check", () => {
  let tts: CosyVoice;
  beforeAll(async () => {
    tts = await CosyVoice.load(TINY, { adapter: adapterNames.at(-1) as string });
  });
  afterAll(() => tts.destroy());

  const sampleOf = (samples: Float32Array, sampleRate: number) =>
    memoryFolder(
      new Map<string, Uint8Array | string>([
        ["sample.json", JSON.stringify({ text, seed: 3 })],
        ["sample.wav", encodeWav(samples, sampleRate)],
      ]),
    );

  test("passes what it spoke itself", async () => {
    const { samples } = await tts.speak(text, { seed: 3 });
    const found = await soundCheck(tts, sampleOf(samples, tts.sampleRate));
    expect(found).toMatchObject({ text, passed: true, seconds: found.expectedSeconds });
    expect(found.correlation).toBeGreaterThan(0.999);
  });

  test("fails other speech, and the same speech of another length", async () => {
    const { samples } = await tts.speak(text, { seed: 4 });
    expect((await soundCheck(tts, sampleOf(samples, tts.sampleRate))).passed).toBe(false);
    const { samples: same } = await tts.speak(text, { seed: 3 });
    expect((await soundCheck(tts, sampleOf(same.subarray(0, -960), tts.sampleRate))).passed).toBe(false);
  });

  test("says what a folder lacks", async () => {
    await expect(soundCheck(tts, memoryFolder(new Map()))).rejects.toThrow(/sample\.json/);
    const { samples } = await tts.speak(text, { seed: 3 });
    await expect(soundCheck(tts, sampleOf(samples, 16_000))).rejects.toThrow(/16000 samples per second/);
  });
});
