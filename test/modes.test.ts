/** Ways of speaking with a voice made of a recording, on a small model that has every part. */
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openModel } from "../src/checkpoint/model.js";
import type { Config } from "../src/config.js";
import { CosyVoice, type Sound, type Voice } from "../src/index.js";
import { Listener } from "../src/listen.js";
import { openFolder } from "../src/platform/node.js";
import { aligned, modeOf, promptedBy } from "../src/voice.js";
import { decodeVoice, encodeVoice } from "../src/voiceFile.js";
import { adapterNames, testDevice } from "./helpers/device.js";
import { memoryFile } from "./helpers/memoryFiles.js";
import { TINY } from "./helpers/tinyRelease.js";

const HEARING = fileURLToPath(new URL("./bundles/c/model", import.meta.url));
const adapter = adapterNames.at(-1) as string;

/** Half a second of a gliding vowel. */
function sound(seconds: number, sampleRate = 16_000): Sound {
  let phase = 0;
  const samples = Float32Array.from({ length: seconds * sampleRate }, (_, n) => {
    phase += (2 * Math.PI * (120 + 60 * Math.sin(n / 4000))) / sampleRate;
    return 0.2 * (Math.sin(phase) + 0.5 * Math.sin(3 * phase) + 0.3 * Math.sin(7 * phase));
  });
  return { samples, sampleRate };
}

describe("what a mode takes of a voice", () => {
  const embedding = new Float32Array(192).fill(1);
  const sizes = { mel: { bins: 80 } as Config["mel"], tokenMelRatio: 2 };
  const prompt = { tokens: Int32Array.of(1, 2, 3), mel: new Float32Array(6 * 80) };
  const trained: Voice = { name: "trained", embedding };
  const recorded: Voice = { name: "recorded", embedding, prompt };
  const spoken: Voice = { name: "spoken", embedding, prompt: { ...prompt, transcript: "hello" } };

  test("the best mode of a voice, unless another is asked for", () => {
    expect(modeOf(trained, {})).toBe("sft");
    expect(modeOf(recorded, {})).toBe("cross-lingual");
    expect(modeOf(spoken, {})).toBe("zero-shot");
    expect(modeOf(spoken, { instruct: "Slowly." })).toBe("instruct");
    expect(modeOf(spoken, { mode: "sft" })).toBe("sft");
  });

  test.each([
    [trained, { mode: "zero-shot" }, 'voice "trained" holds a trained speaker and no recording; zero-shot needs'],
    [recorded, { mode: "zero-shot" }, 'voice "recorded" has no transcript'],
    [spoken, { mode: "instruct" }, "there is no instruction"],
    [spoken, { mode: "cross-lingual", instruct: "x" }, "takes no instruction"],
  ] as const)("a mode that the voice cannot serve is refused, %#", (voice, options, message) => {
    expect(() => modeOf(voice, options)).toThrow(message);
  });

  test("a mode that the model was not trained for is refused, with those it has", () => {
    expect(() => modeOf(recorded, { instruct: "Slowly." }, ["sft", "cross-lingual"])).toThrow(
      "mode instruct: this model was not trained for it and would read the instruction aloud; it has sft, cross-lingual",
    );
    expect(modeOf(recorded, {}, ["sft", "cross-lingual"])).toBe("cross-lingual");
  });

  test("language model and flow get what the table says", () => {
    const given = (mode: Parameters<typeof promptedBy>[1]) => {
      const { promptTextIds, promptSpeechIds, promptToken, promptFeat } = promptedBy(spoken, mode, [7, 8], sizes);
      return [promptTextIds.length, promptSpeechIds.length, promptToken.length, promptFeat.length];
    };
    expect(given("sft")).toEqual([0, 0, 0, 0]);
    expect(given("zero-shot")).toEqual([2, 3, 3, 480]);
    expect(given("cross-lingual")).toEqual([0, 0, 3, 480]);
    expect(given("instruct")).toEqual([2, 0, 3, 480]);
  });

  test("tokens and mel are cut to the same length", () => {
    const cut = (tokens: number, frames: number) => {
      const heard = aligned({ tokens: new Int32Array(tokens), mel: new Float32Array(frames * 80) }, sizes);
      return [heard.tokens.length, heard.mel.length / 80];
    };
    expect([cut(10, 19), cut(9, 20), cut(10, 20), cut(0, 5)]).toEqual([
      [9, 18],
      [9, 18],
      [10, 20],
      [0, 0],
    ]);
  });
});

test("a voice file of a longer recording than can be heard is refused", async () => {
  const { flow } = TINY;
  if (!flow) throw new Error("the model has a flow");
  const decoded = (seconds: number) => {
    const tokens = new Int32Array(seconds * TINY.tokenRate);
    const mel = new Float32Array(tokens.length * TINY.tokenMelRatio * flow.melBins);
    const voice = { name: "long", embedding: new Float32Array(flow.speakerWidth), prompt: { tokens, mel } };
    const bytes = encodeVoice(voice, flow.melBins, { name: "long" });
    return decodeVoice(memoryFile(bytes, "long.voice.safetensors"), flow, TINY);
  };
  expect((await decoded(30)).voice.prompt?.tokens.length).toBe(750);
  await expect(decoded(40)).rejects.toThrow("long.voice.safetensors: a recording of 40.0 s, at most 30 s; make");
});

test("a model without a speaker encoder hears words, but not who speaks", async () => {
  const model = await openModel(await openFolder(HEARING));
  const { speaker: _, ...config } = model.config;
  const listener = await Listener.load(await testDevice(adapter), Object.assign(Object.create(model), { config }));
  try {
    expect((await listener.tokens(sound(0.5), "glide")).length).toBe(13);
    await expect(listener.voice(sound(0.5), { name: "glide" })).rejects.toThrow("needs a speaker encoder");
  } finally {
    listener.destroy();
    await model.close();
  }
});

describe(`a voice made of a recording, on ${adapter}`, () => {
  let tts: CosyVoice;
  let voice: Voice;
  beforeAll(async () => {
    tts = await CosyVoice.load(HEARING, { adapter });
    voice = await tts.listen(sound(0.6), { name: "glide", transcript: "Ah." });
  }, 600_000);
  afterAll(() => tts.destroy());

  test("holds tokens, about twice as many mel frames, and a speaker", () => {
    const { tokens, mel } = voice.prompt as NonNullable<Voice["prompt"]>;
    expect(tokens.length).toBeGreaterThan(10);
    const frames = mel.length / tts.config.mel.bins;
    expect([0, 1, 2]).toContain(2 * tokens.length - frames);
    expect(voice.embedding.every(Number.isFinite)).toBe(true);
  });

  test("speaks in every mode, each in its own way", async () => {
    const options = { voice, seed: 1 };
    const ways = [
      await tts.speak("A.", options),
      await tts.speak("A.", { ...options, mode: "cross-lingual" }),
      await tts.speak("A.", { ...options, instruct: "Slowly." }),
      await tts.speak("A.", { ...options, mode: "sft" }),
    ];
    expect(ways.map(({ mode }) => mode)).toEqual(["zero-shot", "cross-lingual", "instruct", "sft"]);
    expect(new Set(ways.map(({ samples }) => samples.slice(0, 400).join())).size).toBe(4);
  }, 600_000);

  test("speaks another recording again", async () => {
    const { mode, samples, tokens } = await tts.convert(sound(0.5, 24_000), { voice });
    expect(mode).toBe("vc");
    expect(samples.length).toBe(tokens * 960);
    expect(tokens).toBe(Math.ceil(50 / 4));
    // What the recording's mel lacks of its tokens comes out in front.
    const official = await tts.convert(sound(0.5, 24_000), { voice, compat: "official" });
    const { tokens: heard, mel } = voice.prompt as NonNullable<Voice["prompt"]>;
    const lacking = 2 * heard.length - mel.length / tts.config.mel.bins;
    expect(official.samples.length).toBe(samples.length + lacking * 480);
  });

  test("knows which tokenizer heard it", async () => {
    const { prompt } = voice;
    if (!prompt?.codebook) throw new Error("no codebook");
    expect(prompt.codebook).toMatch(/^[0-9a-f]{16}$/);
    // Heard of so little, it says so itself, whatever it is used for; once kept, it does not.
    expect(voice.warnings?.join()).toMatch(/^glide: 0\.\d s of sound, 3 to 10 s are best/);
    expect((await tts.convert(sound(0.5), { voice })).warnings).toEqual(voice.warnings);
    const odd = { ...sound(0.5), warnings: ["its channels cancel"] };
    const { warnings: _, ...kept } = voice;
    expect((await tts.convert(odd, { voice: kept })).warnings).toEqual(odd.warnings);
    const other = { ...voice, prompt: { ...prompt, codebook: "0123456789abcdef" } };
    const { warnings } = await tts.convert(sound(0.5), { voice: other });
    expect(warnings.join()).toContain('voice "glide": another speech tokenizer than this model\'s');
  });

  test("survives a file, and a damaged file is refused", async () => {
    const facts = { name: "glide", transcript: "Ah.", licence: "CC0", seconds: 0.6 };
    const { flow, mel } = tts.config;
    if (!flow) throw new Error("the model has a flow");
    const bytes = encodeVoice(voice, mel.bins, facts);
    const stored = await decodeVoice(memoryFile(bytes, "glide.voice.safetensors"), flow, tts.config);
    const { warnings: _, ...kept } = voice;
    expect(stored).toEqual({ facts, voice: { ...kept, kept: true } });
    const other = decodeVoice(memoryFile(bytes, "v"), { ...flow, codes: 1 }, tts.config);
    await expect(other).rejects.toThrow("make the voice with this model");
    const nan = bytes.slice();
    new DataView(nan.buffer).setFloat32(8 + Number(new DataView(nan.buffer).getBigUint64(0, true)), Number.NaN, true);
    await expect(decodeVoice(memoryFile(nan, "v"), flow, tts.config)).rejects.toThrow("is NaN");
    await expect(decodeVoice(memoryFile(bytes.slice(0, -4), "v"), flow, tts.config)).rejects.toThrow("lie outside");
  });
});
