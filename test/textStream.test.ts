/** Speaking a text that arrives bit by bit, on the model of the package. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CosyVoice, type Mode, type Progress, type Voice, type VoicePrompt } from "../src/index.js";
import { adapterNames } from "./helpers/device.js";
import { TINY } from "./helpers/tinyModel.js";

const adapter = adapterNames.at(-1) as string;

const bytes = (samples: Float32Array) => Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);

async function* from(...chunks: readonly string[]): AsyncGenerator<string> {
  yield* chunks;
}

describe(`a text that streams in, on ${adapter}`, () => {
  let tts: CosyVoice;
  let heard: Voice;
  beforeAll(async () => {
    tts = await CosyVoice.load(TINY, { adapter });
    const { mel, tokenMelRatio, flow } = tts.config;
    const prompt = {
      tokens: Int32Array.from({ length: 20 }, (_, i) => i % (flow?.codes ?? 1)),
      mel: new Float32Array(20 * tokenMelRatio * mel.bins).fill(-6),
      transcript: "Hello.",
    };
    heard = { name: "heard", embedding: new Float32Array(flow?.speakerWidth ?? 0).fill(0.1), prompt };
  });
  afterAll(() => tts.destroy());

  test("gives the same samples however it was cut, and reads as a whole text does", async () => {
    const whole = await tts.speak(from("5:30 pm. Yes!"), { seed: 4 });
    const pieces = await tts.speak(from("5", ":3", "0 p", "m. ", "Yes!"), { seed: 4 });
    expect(bytes(pieces.samples).equals(bytes(whole.samples))).toBe(true);
    expect(whole.segments.map(({ text }) => text)).toEqual(["five thirty PM. Yes!"]);
    expect(whole.samples.length).toBe(whole.tokens * 960);
    expect(whole.tokens).toBeGreaterThan(0);
    expect(whole.segments[0]?.textTokens).toBeGreaterThan(3);
    expect(whole.lmSubmits).toBeGreaterThan(1);
    const other = await tts.speak(from("5:30 pm. Yes!"), { seed: 5 });
    expect(bytes(other.samples).equals(bytes(whole.samples))).toBe(false);
  });

  test("warns of less than half as much as the transcript, when it is known how much came", async () => {
    const prompt = { ...(heard.prompt as VoicePrompt), transcript: "Hello to you all." };
    const short = expect.stringMatching(/^"Yes\.": less than half as long as the transcript/);
    const said = async (mode: Mode) =>
      (await tts.speak(from("Y", "es."), { voice: { ...heard, prompt }, mode })).warnings;
    expect(await said("zero-shot")).toContainEqual(short);
    expect(await said("sft")).not.toContainEqual(short);
  });

  test("its wait is no part of the time it took", async () => {
    const waits = async (ms: number) => {
      async function* late(): AsyncGenerator<string> {
        await new Promise((resolve) => setTimeout(resolve, ms));
        yield "Yes.";
      }
      const begun = performance.now();
      const { timings } = await tts.speak(late());
      return performance.now() - begun - timings.total;
    };
    expect(await waits(1500)).toBeGreaterThan(1400);
  });

  test("is left as it is without the normaliser", async () => {
    const { segments } = await tts.speak(from("5:3", "0 pm"), { normalizer: "none" });
    expect(segments.map(({ text }) => text)).toEqual(["5:30 pm"]);
  });

  test("is spoken in every mode", async () => {
    const ways = [
      await tts.speak(from("Yes."), { voice: heard }),
      await tts.speak(from("Yes."), { voice: heard, mode: "cross-lingual" }),
      await tts.speak(from("Yes."), { voice: heard, instruct: "Slowly." }),
      await tts.speak(from("Yes."), { voice: heard, mode: "sft" }),
    ];
    expect(ways.map(({ mode }) => mode)).toEqual(["zero-shot", "cross-lingual", "instruct", "sft"]);
    expect(new Set(ways.map(({ samples }) => samples.join())).size).toBe(4);
  });

  test("a segment is spoken while the next one's text has not come, and says so", async () => {
    const seen: Progress[] = [];
    const sentence = "Jackdaws love my big sphinx of quartz while we judge five boxing wizards up high and low. ";
    async function* slow(): AsyncGenerator<string> {
      yield sentence;
      yield "A";
      while (!seen.some(({ what }) => what.startsWith("waiting") && !what.includes(" 0.0 s"))) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      yield ".";
    }
    const { segments } = await tts.speak(slow(), { onProgress: (progress) => seen.push(progress) });
    expect(segments).toHaveLength(2);
    expect(seen.every(({ total }) => total === Number.POSITIVE_INFINITY)).toBe(true);
    expect(seen.every(({ done }, i) => i === 0 || done >= (seen[i - 1] as Progress).done)).toBe(true);
  }, 600_000);

  test("can be cancelled while no text comes; the next call is not disturbed, and everything is freed", async () => {
    // What the flow keeps depends on the call before.
    await tts.speak("No.", { seed: 5 });
    const before = tts.memory;
    const controller = new AbortController();
    async function* silent(): AsyncGenerator<string> {
      yield "One two three four five six. ";
      setTimeout(() => controller.abort(), 50);
      await new Promise(() => undefined);
    }
    const cancelled = tts.speak(silent(), { signal: controller.signal });
    const next = tts.speak("No.", { seed: 5 });
    await expect(cancelled).rejects.toMatchObject({ name: "CancelledError" });
    expect((await next).tokens).toBeGreaterThan(0);
    expect(tts.memory).toMatchObject({ live: before.live, buffers: before.buffers });
  });

  test("what the source throws is thrown on, and nothing to speak is refused", async () => {
    async function* failing(): AsyncGenerator<string> {
      yield "One. ";
      throw new Error("the line is dead");
    }
    await expect(tts.speak(failing())).rejects.toThrow("the line is dead");
    const nothing = await tts.speak(from(" ", "?!")).catch((error: Error) => error);
    expect(nothing).toMatchObject({ name: "InputError", message: expect.stringContaining("nothing came that can be") });
    await expect(tts.speak(from("One."), { seed: -1 })).rejects.toThrow("seed -1");
  });
});
