/** What reaches the language model and the flow, and what is said about it: the ways of `compat.ts`, and warnings. */
import { describe, expect, test } from "vitest";
import type { Config } from "../src/config.js";
import { prepare, prepareConversion } from "../src/prepare.js";
import type { SpeakOptions } from "../src/speech.js";
import { Synthesis } from "../src/synthesis.js";
import { loadTokenizer } from "../src/text/tokenizer.js";
import { modeOf, type Voice, type VoicePrompt } from "../src/voice.js";
import { cutSegments, shortTexts } from "../src/warnings.js";
import { qwen2Files } from "./text/qwen2.js";

const tokenizer = loadTokenizer(qwen2Files());
const BINS = 4;
const config = { mel: { bins: BINS }, tokenMelRatio: 2, lm: { minRatio: 2, maxRatio: 20 } } as Config;
const grammar = async () => (text: string) => text.replace("5", "five").replaceAll("_", " underscore ");
const wetext = { normalizerFor: grammar, normalizerOf: grammar };

/** Tokens 0, 1, … and so many frames of mel. */
const heard = (tokens: number, frames = 2 * tokens): VoicePrompt => ({
  tokens: Int32Array.from({ length: tokens }, (_, i) => i),
  mel: new Float32Array(frames * BINS),
});
const voice = (prompt: VoicePrompt, more: Partial<Voice> = {}): Voice => ({
  name: "anna",
  embedding: new Float32Array(3).fill(1),
  prompt,
  ...more,
});
const prepared = (text: string, spoken: Voice, options: SpeakOptions = {}) =>
  prepare(text, spoken, modeOf(spoken, options), options, { tokenizer, wetext, config });
const spokenBefore = async (spoken: Voice, options: SpeakOptions = {}) =>
  tokenizer.decode((await prepared("Hello there.", spoken, options)).prompted.promptTextIds);

const WORDS = "I have 5 cats.";
const fresh = voice({ ...heard(30), transcript: WORDS });
const kept = voice({ ...heard(30), transcript: WORDS }, { kept: true });
const stored = voice({ ...heard(30), transcriptIds: tokenizer.encode(WORDS) }, { kept: true });

describe("where the official ways differ from ours", () => {
  const official = { compat: "official" } as const;

  test("an instruction gets its end mark", async () => {
    const options = { instruct: " Slowly. " };
    expect(await spokenBefore(fresh, options)).toBe("Slowly.<|endofprompt|>");
    expect(await spokenBefore(fresh, { ...options, ...official })).toBe(" Slowly. ");
    for (const compat of [{}, official]) {
      expect(await spokenBefore(fresh, { instruct: "Say 5.<|endofprompt|>", ...compat })).toBe("Say 5.<|endofprompt|>");
    }
  });

  test("an instruction is heard by a voice that was kept", async () => {
    const options = { instruct: "Slowly." };
    expect(await spokenBefore(kept, options)).toBe("Slowly.<|endofprompt|>");
    expect(await spokenBefore(stored, options)).toBe("Slowly.<|endofprompt|>");
    expect(await spokenBefore(kept, { ...options, ...official })).toBe(WORDS);
    expect(await spokenBefore(stored, { ...options, ...official })).toBe(WORDS);
    expect(await spokenBefore(voice(heard(30), { kept: true }), { ...options, ...official })).toBe("");
  });

  test("the transcript of a kept voice is normalised as that of a recording is", async () => {
    for (const spoken of [fresh, kept, stored]) expect(await spokenBefore(spoken)).toBe("I have five cats.");
    expect(await spokenBefore(fresh, official)).toBe("I have five cats.");
    expect(await spokenBefore(kept, official)).toBe(WORDS);
    expect(await spokenBefore(stored, official)).toBe(WORDS);
    expect(await spokenBefore(stored, { normalizer: "none" })).toBe("I have five cats.");
  });

  test("the target of a conversion has twice as many frames as tokens", () => {
    const lengths = (options: typeof official | object) => {
      const { promptToken, promptFeat } = prepareConversion(voice(heard(10, 19)), options, config);
      return [promptToken.length, promptFeat.length / BINS];
    };
    expect(lengths({})).toEqual([9, 18]);
    expect(lengths(official)).toEqual([10, 19]);
  });

  test("an instruction in a transcript, as CosyVoice3 wants it, is left out of it", async () => {
    const marked = voice({ ...heard(30), transcript: "You are helpful.<|endofprompt|>I am Anna." });
    expect(await spokenBefore(marked)).toBe("I am Anna.");
    expect((await prepared("Hello there.", marked)).warnings).toContainEqual(
      expect.stringContaining("the transcript holds <|endofprompt|>, as CosyVoice3 wants it"),
    );
    expect(await spokenBefore(marked, official)).toBe("You are helpful.<|endofprompt|>I am Anna.");
  });

  test("a text is read with our rules, or as it is", async () => {
    const segments = async (options: SpeakOptions) => (await prepared("No. 5\nGo", fresh, options)).segments;
    expect((await segments({})).map(({ text }) => text)).toEqual(["Number five. Go."]);
    expect((await segments(official)).map(({ text }) => text)).toEqual(["No. five\nGo."]);
    expect((await segments({ normalizer: "none" })).map(({ text }) => text)).toEqual(["No. five. Go."]);
  });

  test("a tag reaches the model as one id", async () => {
    const ids = async (options: SpeakOptions) =>
      (await prepared("Well, [quick_breath] 5.", fresh, options)).segments.flatMap((segment) => segment.ids);
    const tag = tokenizer.specials.get("[quick_breath]");
    expect(await ids({})).toContain(tag);
    expect(await ids(official)).not.toContain(tag);
  });

  test("no stop id is drawn before the least length", async () => {
    const asked: unknown[] = [];
    const lm = {
      config: config.lm,
      generate: async ({ compatOfficial }: { compatOfficial: boolean }) => {
        asked.push(compatOfficial);
        return { tokens: new Int32Array(), stop: "eos", stats: {} };
      },
    };
    const flow = { config: { solver: { noiseFrames: 1000 } } };
    const synthesis = new Synthesis({ lm, flow, vocoder: {} } as never, config);
    const speaking = { voice: "anna", mode: "zero-shot", ...(await prepared("Hello there.", fresh)) } as const;
    await synthesis.speak(speaking, {}, 0);
    await synthesis.speak(speaking, official, 0);
    expect(asked).toEqual([false, true]);
  });

  test("the wait between the last segment and the end of the text is no part of the time it took", async () => {
    const end = { stop: "eos", dispatchesPerToken: 1, submits: 1 };
    const lm = { generateStream: () => ({ next: async () => ({ done: true, value: end }) }) };
    const flow = { config: { solver: { noiseFrames: 1000 } } };
    const synthesis = new Synthesis({ lm, flow, vocoder: {} } as never, config);
    const segment = { text: "Yes.", textTokens: 2, waitedMs: 0, ids: (async function* () {})() };
    async function* segments() {
      yield segment;
      await new Promise((resolve) => setTimeout(resolve, 400));
      segment.waitedMs = 400;
    }
    const { prompted } = await prepared("Yes.", fresh);
    const speaking = { voice: "anna", mode: "sft", prompted, transcript: "", warnings: [] } as const;
    const { timings } = await synthesis.speak({ ...speaking, segments: segments() }, {}, 0);
    expect(timings.total).toBeLessThan(300);
  });

  test("nothing is spoken after a recording that leaves no room", async () => {
    const flow = { config: { solver: { noiseFrames: 1000 } } };
    const synthesis = new Synthesis({ lm: {}, flow, vocoder: {} } as never, config);
    const long = voice({ ...heard(500), transcript: "word ".repeat(100) });
    const speaking = { voice: "anna", mode: "zero-shot", ...(await prepared("Hello there.", long)) } as const;
    await expect(synthesis.speak(speaking, {}, 0)).rejects.toThrow(
      'voice "anna": its recording has 500 speech tokens, and with 500 or more the flow has no room',
    );
  });
});

describe("warnings", () => {
  const transcript = "A transcript of forty characters, about.";
  const spoken = voice({ ...heard(60), transcript });
  const warnings = async (text: string, from = spoken, options: SpeakOptions = {}) => {
    const { segments, transcript, warnings } = await prepared(text, from, options);
    return [...shortTexts(segments, transcript), ...warnings];
  };

  test("of a text less than half as long as the transcript, zero-shot alone", async () => {
    expect(await warnings("x".repeat(19))).toEqual([]);
    expect(await warnings("Nineteen letters x")).toEqual([
      expect.stringMatching(/^"Nineteen letters x\.": less than half as long .* \(40 characters\)/),
    ]);
    expect(await warnings("No.", spoken, { mode: "cross-lingual" })).toEqual([]);
    expect(await warnings("No.", spoken, { instruct: "Slowly." })).toEqual([]);
    expect(await warnings(`${"word ".repeat(70)}. ${"word ".repeat(70)}. No.`)).toEqual([]);
    const long = voice({ ...heard(900), transcript: "word ".repeat(200) });
    expect(await warnings(`${"word ".repeat(70)}. ${"long ".repeat(70)}.`, long)).toEqual([
      expect.stringMatching(/^2 of 2 segments, first "word word word word word word …": less than half/),
    ]);
  });

  test("of a transcript that does not fit its recording", async () => {
    const of = (tokens: number) => warnings(transcript, voice({ ...heard(tokens), transcript }));
    const ids = tokenizer.encode(transcript).length;
    expect(await of(2 * ids)).toEqual([]);
    expect(await of(20 * ids)).toEqual([]);
    expect(await of(2 * ids - 1)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^voice "anna": ${ids} text tokens and ${2 * ids - 1} speech tokens, 1\\.\\d each where 2 to 20 are`,
        ),
      ),
    ]);
    expect(await of(20 * ids + 1)).toHaveLength(1);
    expect(await warnings("Hello.", voice({ ...heard(9), transcript: " " }))).toEqual([
      expect.stringContaining("0 text tokens and 9 speech tokens, none where"),
    ]);
    expect(await warnings("Hello there.", voice({ ...heard(1), transcript }), { mode: "cross-lingual" })).toEqual([]);
  });

  test("of speech tokens that another tokenizer made, in the modes that take them", async () => {
    const said = async (made: string | undefined, own: string | undefined, options: SpeakOptions = {}) => {
      const spoken = voice({ ...heard(30), transcript: WORDS, ...(made && { codebook: made }) });
      const reader = { tokenizer, wetext, config, codebook: own };
      return (await prepare("Hello there.", spoken, modeOf(spoken, options), options, reader)).warnings.join();
    };
    for (const options of [{}, { mode: "cross-lingual" }, { instruct: "Slowly." }] as const) {
      expect(await said("a", "b", options)).toMatch(/^voice "anna": another speech tokenizer/);
    }
    expect(await said("a", "b", { mode: "sft" })).toBe("");
    for (const [made, own] of [
      ["a", "a"],
      [undefined, "b"],
      ["a", undefined],
    ])
      expect(await said(made, own)).toBe("");
  });

  test("of segments that stopped at the greatest length", () => {
    const segment = (stop: "eos" | "length", text = "Yes.") => ({ text, textTokens: 2, tokens: 40, stop, samples: 1 });
    expect(cutSegments([segment("eos")])).toEqual([]);
    expect(cutSegments([segment("length")])).toEqual([expect.stringMatching(/^"Yes\.": stopped at the greatest/)]);
    expect(cutSegments([segment("eos"), segment("length", "No.")])).toEqual([
      expect.stringMatching(/^segment "No\.": stopped/),
    ]);
  });
});
