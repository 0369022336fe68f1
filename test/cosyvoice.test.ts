/** The public interface, on the model of the package. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CosyVoice, type Progress } from "../src/index.js";
import { adapterNames } from "./helpers/device.js";
import { TINY } from "./helpers/tinyModel.js";

const adapter = adapterNames.at(-1) as string;

const bytes = (samples: Float32Array) => Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);

describe("CosyVoice", () => {
  let tts: CosyVoice;
  beforeAll(async () => {
    tts = await CosyVoice.load(TINY, { adapter });
  });
  afterAll(() => tts.destroy());

  test("knows its voices, its rate and its adapter", () => {
    expect(tts.voices.length).toBeGreaterThan(0);
    expect(tts.sampleRate).toBe(24_000);
    expect(tts.adapter.name).toBe(adapter);
    expect(tts.dtype).toBe("f16");
  });

  test("two calls at once give what they give one after the other; other seeds and voices give other samples", async () => {
    const [voice] = tts.voices.slice(-1);
    const one = await tts.speak("No.", { seed: 5 });
    const two = await tts.speak("Yes.", { seed: 6, ...(voice ? { voice } : {}) });
    const before = tts.memory;
    const [first, second] = await Promise.all([
      tts.speak("No.", { seed: 5 }),
      tts.speak("Yes.", { seed: 6, ...(voice ? { voice } : {}) }),
    ]);
    expect(bytes(first.samples).equals(bytes(one.samples))).toBe(true);
    expect(bytes(second.samples).equals(bytes(two.samples))).toBe(true);
    expect(tts.memory.pipelines).toBe(before.pipelines);
    const other = await tts.speak("No.", { seed: 7 });
    expect(bytes(other.samples).equals(bytes(one.samples))).toBe(false);
  });

  test("tells what it did: tokens, stop, segments and times add up; progress runs from 0 to the number of segments", async () => {
    const seen: Progress[] = [];
    // A sentence of more than 60 tokens is a segment of its own.
    const text =
      "Jackdaws love my big sphinx of quartz while we judge five boxing wizards up high. Pack my box with nine jugs.";
    const speech = await tts.speak(text, { onProgress: (progress) => seen.push(progress) });
    expect(speech.segments.length).toBeGreaterThan(1);
    expect(speech.samples.length).toBe(speech.segments.reduce((sum, { samples }) => sum + samples, 0));
    expect(speech.tokens).toBe(speech.segments.reduce((sum, { tokens }) => sum + tokens, 0));
    expect(speech.samples.length).toBe(speech.tokens * 960);
    expect(speech.samples.every((value) => Math.abs(value) <= 1)).toBe(true);
    const { total, ...stages } = speech.timings;
    expect(Object.values(stages).reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(total + 1);
    expect(speech.dispatchesPerToken).toBeGreaterThan(0);
    // One for the prompt, one for 8 tokens, and at most three that ran on after the end, in each segment.
    expect(speech.lmSubmits).toBeLessThanOrEqual(5 * speech.segments.length + speech.tokens / 8);
    expect(seen[0]).toMatchObject({ done: 0, total: speech.segments.length });
    expect(seen.at(-1)).toMatchObject({ done: speech.segments.length });
    expect(seen.every(({ done }, i) => i === 0 || done >= (seen[i - 1] as Progress).done)).toBe(true);
  });

  test("reads numbers as the official front end does, unless told not to", async () => {
    const spoken = async (normalizer?: "wetext" | "none") =>
      (await tts.speak("$5", normalizer ? { normalizer } : {})).segments.map(({ text }) => text);
    expect(await spoken()).toEqual(["five dollars."]);
    expect(await spoken("wetext")).toEqual(["five dollars."]);
    expect(await spoken("none")).toEqual(["$five."]);
  });

  test("speed stretches time; greedy and a silent source need no seed", async () => {
    const options = { greedy: true, sourceNoise: false };
    const normal = await tts.speak("No.", { ...options, seed: 1 });
    const fast = await tts.speak("No.", { ...options, seed: 2, speed: 2 });
    expect(fast.tokens).toBe(normal.tokens);
    expect(fast.samples.length).toBe(normal.samples.length / 2);
    const again = await tts.speak("No.", { ...options, seed: 3 });
    expect(bytes(again.samples).equals(bytes(normal.samples))).toBe(true);
  });

  test("a cancelled call, before or while it runs, frees what it held and does not disturb the next", async () => {
    const whole = await tts.speak("No.", { seed: 5 });
    const before = tts.memory;
    await expect(tts.speak("No.", { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "CancelledError" });
    for (const stage of ["language model", "flow"]) {
      const controller = new AbortController();
      const cancelled = tts.speak("No. ".repeat(5), {
        signal: controller.signal,
        onProgress: ({ what }) => {
          if (what === stage) controller.abort();
        },
      });
      const next = tts.speak("No.", { seed: 5 });
      await expect(cancelled).rejects.toMatchObject({ name: "CancelledError" });
      expect(bytes((await next).samples).equals(bytes(whole.samples))).toBe(true);
    }
    expect(tts.memory).toMatchObject({ live: before.live, buffers: before.buffers });
  });

  test.each([
    ["", {}, "InputError", "text: it is empty"],
    [" \n ", {}, "InputError", "text: it is empty"],
    ["?!", {}, "InputError", "holds only punctuation"],
    ["x".repeat(100_000), {}, "InputError", "text: it has 100000 characters, at most"],
    ["No.", { voice: "nobody" }, "InputError", 'voice "nobody" is unknown; the model has "'],
    ["No.", { seed: -1 }, "InputError", "seed -1 is not a whole number"],
    ["No.", { seed: 0.5 }, "InputError", "seed 0.5 is not a whole number"],
    ["No.", { speed: Number.NaN }, "InputError", "speed NaN is not between"],
  ])("%j with %j is refused", async (text, options, name, message) => {
    const failure = await tts.speak(text.slice(), options).catch((error: Error) => error);
    expect(failure).toMatchObject({ name, message: expect.stringContaining(message) });
    expect((failure as Error).message.split("\n")).toHaveLength(1);
  });

  test.each([-1, Number.NaN])("a conversion with the seed %d is refused", async (seed) => {
    const sound = { samples: new Float32Array(16_000).map(Math.sin), sampleRate: 16_000 };
    await expect(tts.convert(sound, { seed })).rejects.toThrow(`seed ${seed} is not a whole number`);
  });
});

test("loading can be cancelled between its steps, and says how far it is", async () => {
  const controller = new AbortController();
  const seen: string[] = [];
  const loading = CosyVoice.load(TINY, {
    adapter,
    signal: controller.signal,
    onProgress: ({ what }) => {
      seen.push(what);
      if (what.includes("flow")) controller.abort();
    },
  });
  await expect(loading).rejects.toMatchObject({ name: "CancelledError" });
  expect([...new Set(seen)]).toEqual(["loading language model", "loading flow"]);
});

test("destroy frees everything, and speaking afterwards is one clear error", async () => {
  const tts = await CosyVoice.load(TINY, { adapter });
  expect(tts.memory.live).toBeGreaterThan(1e5);
  tts.destroy();
  expect(tts.memory).toMatchObject({ live: 0, buffers: 0 });
  await expect(tts.speak("No.")).rejects.toMatchObject({
    name: "DeviceError",
    message: expect.stringContaining("load the model again"),
  });
});

test("a folder that is no model is refused", async () => {
  await expect(CosyVoice.load(fileURLToPath(new URL("../src", import.meta.url)))).rejects.toMatchObject({
    name: "FileError",
  });
  await expect(CosyVoice.load("no-such-folder")).rejects.toThrow("no-such-folder: no such file or folder");
});

test("a voice that holds no number is refused by name", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cosyvoice-nan-"));
  try {
    cpSync(TINY, folder, { recursive: true });
    const path = join(folder, "voices.safetensors");
    const file = readFileSync(path);
    file.writeFloatLE(Number.NaN, 8 + Number(file.readBigUInt64LE(0)));
    writeFileSync(path, file);
    await expect(CosyVoice.load(folder, { adapter })).rejects.toMatchObject({
      name: "FileError",
      message: expect.stringMatching(/voice ".+": value \d+ of embedding is NaN/),
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
