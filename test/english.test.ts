/** The voice in the package: small enough, equal to PyTorch on every adapter, and it says what it is asked to say and then stops. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFolder } from "#platform";
import { openModel } from "../src/checkpoint/model.js";
import { CosyVoice, type Sound } from "../src/index.js";
import { openBundle } from "../src/parity/bundle.js";
import { runParity } from "../src/parity/parity.js";
import type { Row } from "../src/parity/report.js";
import { soundCheck } from "../src/soundCheck.js";
import { adapterNames, testDevice } from "./helpers/device.js";

const ENGLISH = fileURLToPath(new URL("../weights/english", import.meta.url));
const BUNDLE = fileURLToPath(new URL("bundles/english", import.meta.url));

/** The fastest adapter, for what need not be said on all of them. */
const FASTEST = adapterNames[0] as string;

/** The voice on an adapter, loaded once: making the pipelines takes longer than a short sentence. */
const loaded = new Map<string, Promise<CosyVoice>>();
function voiceOn(adapter: string): Promise<CosyVoice> {
  const known = loaded.get(adapter) ?? CosyVoice.load(ENGLISH, { adapter });
  loaded.set(adapter, known);
  return known;
}
afterAll(async () => {
  for (const tts of await Promise.all(loaded.values())) tts.destroy();
});

test("a paragraph is read a sentence at a time: the voice learned from sentences, and skips words of longer texts", async () => {
  const tts = await voiceOn(adapterNames.at(-1) as string);
  const text = "A boat moved. The sea was grey. He sat there.";
  const { segments, stop } = await tts.speak(text, { seed: 0 });
  expect(segments.map((segment) => segment.text.trim())).toEqual([
    "A boat moved.",
    "The sea was grey.",
    "He sat there.",
  ]);
  expect(stop).toBe("eos");
});

test("what speaks takes at most 12 MB, and what hears at most 4 MB", () => {
  const files = readdirSync(ENGLISH, { recursive: true, encoding: "utf8" }).map((name) => join(ENGLISH, name));
  const model = files.filter((file) => /\.(safetensors|json|txt)$/.test(file));
  const hears = model.filter((file) => /(speechTokenizer|speaker)\.safetensors$/.test(file));
  const size = (some: string[]) => some.reduce((sum, file) => sum + statSync(file).size, 0);
  expect(hears).toHaveLength(2);
  expect(size(hears)).toBeLessThanOrEqual(4_000_000);
  expect(size(model) - size(hears)).toBeLessThanOrEqual(12_000_000);
});

test("the card names the teachers, the licences and the judge", () => {
  const card = readFileSync(join(ENGLISH, "CARD.md"), "utf8");
  for (const name of [
    "hibari-tts",
    "Kokoro-82M",
    "Apache-2.0",
    "WordNet 3.0",
    "Whisper tiny.en",
    "festvox_us_slt_arctic_hts",
    "flite",
  ])
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
    const found = await soundCheck(await voiceOn(adapter), await openFolder(ENGLISH));
    expect(found.correlation).toBeGreaterThan(0.999);
    expect(found.passed).toBe(true);
  });
});

describe("speech", () => {
  let tts: CosyVoice;
  beforeAll(async () => {
    tts = await voiceOn(FASTEST);
  });

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

describe("other speakers", () => {
  const text = "The weather is fine today, and the train is late.";
  let tts: CosyVoice;
  let stranger: Sound;
  let stored: Float32Array[];
  const vectorOf = async ({ samples, sampleRate }: Sound) =>
    (await tts.listen({ samples, sampleRate }, { name: "heard" })).embedding;
  beforeAll(async () => {
    tts = await voiceOn(FASTEST);
    const { samples, sampleRate } = await tts.speak(text);
    stranger = { samples, sampleRate: 0.75 * sampleRate }; // played slowly: a lower voice from a longer throat
    const model = await openModel(await openFolder(ENGLISH));
    const entries = await Promise.all(model.voices.map((name) => model.voice(name)));
    stored = entries.map(({ embedding }) => embedding?.data as Float32Array);
    await model.close();
  }, 300_000);

  test("a conversion has the target's voice and the source's length", async () => {
    const [target] = stored as [Float32Array, Float32Array];
    const converted = await tts.convert(stranger);
    expect(converted.voice).toBe(tts.voices[0]);
    const seconds = stranger.samples.length / stranger.sampleRate;
    expect(Math.abs(converted.samples.length / converted.sampleRate - seconds)).toBeLessThan(0.05);
    expect(cosine(await vectorOf(stranger), target)).toBeLessThan(0.4);
    expect(cosine(await vectorOf(converted), target)).toBeGreaterThan(0.6);
  }, 300_000);

  // What hears knows sound as it is recorded better than sound as it is made here, so only what a voice changes is asked.
  test("a voice of a recording, and another stored one, bring speech nearer to its speaker", async () => {
    const said = "Please tell me where it is.";
    const own = await vectorOf(await tts.speak(said));
    const voice = await tts.listen(stranger, { name: "stranger", transcript: text });
    const cloned = await tts.speak(said, { voice });
    expect(cloned.mode).toBe("zero-shot");
    expect(cloned.stop).toBe("eos");
    expect(loudness(cloned.samples)).toBeGreaterThan(0.01);
    expect(cosine(await vectorOf(cloned), voice.embedding)).toBeGreaterThan(cosine(own, voice.embedding) + 0.1);
    const [first, second] = stored as [Float32Array, Float32Array];
    const other = await vectorOf(await tts.speak(said, { voice: tts.voices[1] as string }));
    expect(cosine(other, second)).toBeGreaterThan(cosine(own, second) + 0.05);
    expect(cosine(other, first)).toBeLessThan(cosine(own, first) - 0.05);
  }, 300_000);
});

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function loudness(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
}
