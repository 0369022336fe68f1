/** The voice in the package: small enough, equal to PyTorch on every adapter, and it says what it is asked to say and then stops. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFolder } from "#platform";
import { openModel } from "../src/checkpoint/model.js";
import { CosyVoice } from "../src/index.js";
import { openBundle } from "../src/parity/bundle.js";
import { runParity } from "../src/parity/parity.js";
import type { Row } from "../src/parity/report.js";
import { soundCheck } from "../src/soundCheck.js";
import { adapterNames, testDevice } from "./helpers/device.js";

const ENGLISH = fileURLToPath(new URL("../weights/english", import.meta.url));
const BUNDLE = fileURLToPath(new URL("bundles/english", import.meta.url));

test("weights, config and tokenizer take at most 12 MB", () => {
  const files = readdirSync(ENGLISH, { recursive: true, encoding: "utf8" }).map((name) => join(ENGLISH, name));
  const model = files.filter((file) => /\.(safetensors|json|txt)$/.test(file));
  expect(model.reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThanOrEqual(12_000_000);
});

test("the card names the teachers, the licences and the judge", () => {
  const card = readFileSync(join(ENGLISH, "CARD.md"), "utf8");
  for (const name of ["hibari-tts", "Kokoro-82M", "Apache-2.0", "WordNet 3.0", "Whisper tiny.en"])
    expect(card).toContain(name);
});

describe.each(adapterNames)("on %s", (adapter) => {
  // The folder holds halves, so f32 needs the release that it was converted from.
  test("every stage is PyTorch's", { timeout: 600_000 }, async () => {
    const bundle = await openBundle(await openFolder(BUNDLE));
    const model = await openModel(await openFolder(ENGLISH));
    try {
      const rows: Row[] = [];
      for await (const row of runParity(model, bundle, await testDevice(adapter))) rows.push(row);
      expect(rows.length).toBeGreaterThan(25);
      expect(rows.filter(({ verdict }) => verdict !== "pass")).toEqual([]);
    } finally {
      await model.close();
      await bundle.close();
    }
  });

  test("the sample sentence sounds like the sample", { timeout: 300_000 }, async () => {
    const tts = await CosyVoice.load(ENGLISH, { adapter });
    try {
      const found = await soundCheck(tts, await openFolder(ENGLISH));
      expect(found.correlation).toBeGreaterThan(0.999);
      expect(found.passed).toBe(true);
    } finally {
      tts.destroy();
    }
  });
});

describe("speech", () => {
  let tts: CosyVoice;
  beforeAll(async () => {
    tts = await CosyVoice.load(ENGLISH, { adapter: adapterNames.at(-1) as string });
  });
  afterAll(() => tts.destroy());

  test.each(["Yes.", "No.", "Good morning.", "Thank you.", "Hello!"])("%j ends by itself within 2 s", async (text) => {
    const { stop, samples, sampleRate } = await tts.speak(text);
    expect(stop).toBe("eos");
    expect(samples.length / sampleRate).toBeLessThan(2);
    expect(loudness(samples)).toBeGreaterThan(0.01);
  });

  test("ten seeds of one sentence all end by themselves, neither clipped nor off centre", {
    timeout: 600_000,
  }, async () => {
    for (let seed = 0; seed < 10; seed++) {
      const { stop, samples } = await tts.speak("Where is it?", { seed });
      expect(stop, `seed ${seed}`).toBe("eos");
      expect(samples.some((value) => Math.abs(value) >= 0.999)).toBe(false);
      expect(Math.abs(samples.reduce((sum, value) => sum + value, 0) / samples.length)).toBeLessThan(1e-3);
    }
  });
});

function loudness(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
}
