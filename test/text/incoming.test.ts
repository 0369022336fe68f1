/** Text that arrives bit by bit: where it is cut, and that its way here does not matter. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CancelledError, InputError } from "../../src/errors.js";
import { type IncomingOptions, incomingSegments } from "../../src/text/incoming.js";
import { SentenceReader } from "../../src/text/read.js";
import { readText } from "../../src/text/text.js";
import { loadTokenizer } from "../../src/text/tokenizer.js";
import { ENGLISH_ONLY } from "../helpers/reading.js";
import { tinyFiles } from "./qwen2.js";

const tokenizer = loadTokenizer(tinyFiles());
/** Reads nothing in another way, but has whole sentences spoken. */
const grammars = async () => (text: string) => text;
/** Every text has readers of its own. */
const words = (): IncomingOptions => ({ tokenizer, reading: "words", maxCharacters: 50_000 });
const sentences = (): IncomingOptions => ({ ...words(), reading: new SentenceReader({ tokenizer, grammars }) });
const BOTH = [words, sentences];

async function* from(chunks: readonly string[]): AsyncGenerator<string> {
  yield* chunks;
}

interface Read {
  readonly text: string;
  readonly ids: readonly number[];
}

async function read(chunks: readonly string[], options: IncomingOptions): Promise<Read[]> {
  const all: Read[] = [];
  for await (const segment of incomingSegments(from(chunks), options)) {
    const ids: number[] = [];
    for await (const id of segment.ids) ids.push(id);
    expect(segment.textTokens).toBe(ids.length);
    all.push({ text: segment.text, ids });
  }
  return all;
}

const pieces = fc.array(
  fc.constantFrom(
    ..."a|dog's|3.5|No.|Dr|e.g|U.S|He|Then|7|- |**|# | |  |. |.|, |!|?! |...|\n|\r\n| \n |你好|，|。|？！|”|“|)|e\u0301|[laughter]|<strong>|</strong>|😀|é|:|'s".split(
      "|",
    ),
  ),
  { maxLength: 60 },
);

/** The same text, cut anywhere. */
function cut(text: string, places: readonly number[]): string[] {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => text.slice(start, at[i] ?? text.length));
}

describe("a text that arrives bit by bit", () => {
  test("gives the same segments however it was cut on its way", async () => {
    // Repeated, a sentence is too long to wait for its end.
    const times = fc.constantFrom(1, 1, 1, 30);
    const property = fc.asyncProperty(pieces, times, fc.array(fc.nat(1000)), async (parts, times, places) => {
      const text = [...parts, times > 1 ? "है। " : ""].join("").repeat(times);
      for (const options of BOTH) {
        expect(await read(cut(text, places), options())).toEqual(await read([text], options()));
      }
    });
    await fc.assert(property, { numRuns: 300 });
  });

  test("word by word, has the ids of the whole", async () => {
    const property = fc.asyncProperty(pieces, async (parts) => {
      // A line's end is a blank, and a Chinese mark at a sentence's end is not joined to the word after it.
      const text = parts
        .join("")
        .replace(/\s*[\r\n]\s*/g, " ")
        .replace(/[。？！]/g, "，")
        .trim();
      const segments = await read([...text], words());
      const spoken = segments.map((segment) => segment.text).join("");
      expect(text.endsWith(spoken.trimEnd())).toBe(true);
      expect(segments.flatMap(({ ids }) => ids)).toEqual(tokenizer.encode(spoken));
    });
    await fc.assert(property, { numRuns: 300 });
  });

  test("sentence by sentence, is read as a whole text is", async () => {
    const property = fc.asyncProperty(pieces, fc.array(fc.nat(1000)), async (parts, places) => {
      const text = parts.join("");
      const arrived = (await read(cut(text, places), sentences())).map((segment) => segment.text).join("");
      const whole = await readText(`${text} End.`, { tokenizer, grammars });
      const alone = (await read([`${text} End.`], sentences())).map((segment) => segment.text).join("");
      expect(alone).toBe(whole.segments.map((segment) => segment.text).join(""));
      if (/[\p{L}\p{N}]/u.test(arrived)) {
        const { segments } = await readText(text, { tokenizer, grammars });
        expect(arrived).toBe(segments.map((segment) => segment.text).join(""));
      }
    });
    await fc.assert(property, { numRuns: 500 });
  });

  test("a stop that ends no sentence ends none, however it came", async () => {
    // Where every sentence is a segment.
    const each = () => ({ ...sentences(), segmentLength: 1 });
    const texts = async (chunks: string[]) => (await read(chunks, each())).map(({ text }) => text);
    expect(await texts(["I met Dr", ".", " Smith at 9", ":30."])).toEqual(["I met Dr. Smith at nine:thirty."]);
    expect(await texts(["I live in the U.S. and work. J. R. R. Tolkien wrote it, e.g. in 1937."])).toEqual([
      "I live in the U.S. and work.",
      " J. R. R. Tolkien wrote it, e.g. in one thousand, nine hundred and thirty-seven.",
    ]);
  });

  test("what cannot be said is told with the end, and of nothing else nothing is spoken", async () => {
    const warnings: string[] = [];
    const english = (): IncomingOptions => ({
      ...words(),
      reading: new SentenceReader({ tokenizer, grammars, abilities: ENGLISH_ONLY }),
      warn: (warning) => warnings.push(warning),
    });
    expect((await read(["It’s 你", "好. Fine."], english())).map(({ text }) => text)).toEqual(["It's. Fine."]);
    expect(warnings).toEqual(['this voice speaks English and cannot say "你好"; left out']);
    await expect(read(["你好。"], english())).rejects.toThrow(
      "text: nothing in it can be spoken: this voice speaks English",
    );
    await expect(read(["<speak>Hi"], english())).rejects.toThrow("is SSML");
    await expect(read(["Slow.<|endofprompt|>Hi"], english())).rejects.toThrow("ends an instruction");
  });

  test("marks of the model's own reach it as they are, where it takes them", async () => {
    const [segment] = await read(["Slowly.<|endofprompt|>", "I have 5.\n"], sentences());
    expect(segment?.text).toBe("Slowly.<|endofprompt|>I have 5.");
  });

  test("words are handed on before the sentence has ended, and none before it is whole", async () => {
    const seen: string[] = [];
    let sent = "";
    async function* slow(): AsyncGenerator<string> {
      for (const chunk of ["Hel", "lo wor", "ld, and ", "so"]) {
        sent += chunk;
        yield chunk;
      }
    }
    for await (const { ids } of incomingSegments(slow(), words())) {
      for await (const id of ids) seen.push(`${sent}|${tokenizer.decode([id])}`);
    }
    const at = (text: string) => seen.filter((line) => line.startsWith(`${text}|`)).map((line) => line.split("|")[1]);
    expect(at("Hel")).toEqual([]);
    expect(at("Hello wor").join("")).toBe("Hello");
    expect(at("Hello world, and ").join("")).toBe(" world, and");
    expect(at("Hello world, and so").join("")).toBe(" so");
  });

  test("a segment ends with a sentence once it is long enough, and a sentence without an end is cut", async () => {
    const short = "One two three four five six seven. ";
    const segments = await read([short.repeat(40)], sentences());
    expect(segments.length).toBeGreaterThan(2);
    for (const { ids, text } of segments.slice(0, -1)) {
      expect(ids.length).toBeGreaterThan(60);
      expect(text.endsWith(".")).toBe(true);
    }
    const letters = await read(["😀a".repeat(400)], sentences());
    expect(
      letters
        .map(({ text }) => text)
        .join("")
        .replaceAll(/[. ]/g, ""),
    ).toBe("😀a".repeat(400));
  });

  test("a segment ends with a word when no sentence's end comes, and nothing of the text is lost", async () => {
    const text = "word ".repeat(3000).trimEnd();
    for (const options of BOTH) {
      const segments = await read([text], options());
      // A session has room for so many, their speech and a recording.
      for (const { ids } of segments) expect(ids.length).toBeLessThan(240 + 300);
      for (const { ids, text } of segments.slice(0, -1)) {
        // A sentence that is cut is cut where a segment ends.
        expect(ids.length).toBeGreaterThan(options === words ? 240 : 60);
        expect(text).toMatch(/word\.?$/);
      }
      const said = segments.map((segment) => segment.text).join("");
      expect(said.replaceAll(".", "")).toBe(text);
    }
  });

  test("a sentence ends at an end of its own script", async () => {
    const question = "यह एक लंबा वाक्य है। ".repeat(20);
    const segments = await read([question], sentences());
    expect(segments.map(({ text }) => text).join("")).toBe(question.trim());
    expect(segments.every(({ text }) => text.endsWith("।"))).toBe(true);
  });

  test("a long run of marks takes no longer than other text", async () => {
    for (const options of BOTH) {
      for (const mark of [".", "。", ".。", '."', " "]) {
        const run = mark.repeat(49_990 / mark.length);
        expect((await read([`One${run}`], options()))[0]?.text).toMatch(/^One/);
        await read([...`One${run.slice(0, 5000)}`], options());
      }
    }
  }, 120_000); // the square of its length would take longer by far

  test("nothing to speak is no segment", async () => {
    for (const chunks of [[], [""], [" \n", "\n "], ["?!", "..."]]) {
      for (const options of BOTH) expect(await read(chunks, options())).toEqual([]);
    }
  });

  test("what is no text is refused", async () => {
    const refused = read([7 as unknown as string], words());
    await expect(refused).rejects.toEqual(new InputError("text: a part of it is a number; a stream gives strings"));
  });

  test("of too much text the first part is read, and it is told", async () => {
    for (const [chunks, most, first] of [
      [["one two. ", "three.", " four"], 12, "one two. thr"],
      [["one two. ", "thr\u{1F600}ee"], 13, "one two. thr"],
      [["one two."], 8, "one two."],
    ] as const) {
      let told = 0;
      const options = { ...words(), maxCharacters: most, onTooMuch: () => told++ };
      expect((await read([...chunks], options)).map(({ text }) => text).join("")).toBe(first);
      expect(told).toBe(first === "one two." ? 0 : 1);
    }
  });

  test("a signal ends the wait for text, and the source is told", async () => {
    const controller = new AbortController();
    let returned = false;
    const silent: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return: async () => {
          returned = true;
          return { value: undefined, done: true };
        },
      }),
    };
    const waiting = incomingSegments(silent, { ...words(), signal: controller.signal }).next();
    setTimeout(() => controller.abort(), 20);
    await expect(waiting).rejects.toThrow(CancelledError);
    expect(returned).toBe(true);
  });
});
