import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.js";
import { normalize } from "../../src/text/normalize.js";
import { type Language, splitParagraph } from "../../src/text/split.js";
import { MAX_CODE_POINTS, prepareText } from "../../src/text/text.js";
import { loadTokenizer, type Tokenizer } from "../../src/text/tokenizer.js";
import { codePoints } from "../../src/text/unicode.js";
import { qwen2Files, tinyFiles } from "./qwen2.js";
import { nastyStrings } from "./strings.js";

const tokenizer = loadTokenizer(qwen2Files());
const tiny = loadTokenizer(tinyFiles());
const speak = (text: string) => normalize(text, { tokenizer, split: true });
const prompt = (text: string) => normalize(text, { tokenizer, split: false });

describe("splitParagraph", () => {
  const zh = (text: string) => splitParagraph(text, "zh", tokenizer);
  const en = (text: string) => splitParagraph(text, "en", tokenizer);

  test("of another length than upstream's, down to every sentence by itself", () => {
    const text = "One two. Three four five. Six.";
    expect(splitParagraph(text, "en", tokenizer)).toEqual([text]);
    expect(splitParagraph(text, "en", tokenizer, 1)).toEqual(["One two.", " Three four five.", " Six."]);
    expect(splitParagraph("一二三四。五六七八。九十。", "zh", tokenizer, 7)).toEqual([
      "一二三四。五六七八。",
      "九十。",
    ]);
  });

  test("the vectors of the official splitter", () => {
    expect(zh("你好！！真的吗？？")).toEqual(["你好！真的吗？"]);
    expect(zh("他说：“走吧。”然后就走了")).toEqual(["他说：“走吧。”然后就走了。"]);
    const lengths = en("Hello world. This is a test! Is it ok? ".repeat(12).trim()).map(
      (s) => tokenizer.encode(s).length,
    );
    expect(lengths).toEqual([80, 64]);
  });

  test("80, 60 and 20 are limits of code points in Chinese", () => {
    const a = (count: number) => `${"啊".repeat(count - 1)}。`;
    expect(zh(a(60) + a(21))).toHaveLength(1);
    expect(zh(a(61) + a(20)).map(codePoints)).toEqual([61, 20]);
    expect(zh(a(61) + a(19)).map(codePoints)).toEqual([80]);
    expect(zh(a(80) + a(19)).map(codePoints)).toEqual([99]);
    expect(zh(`${"𠀀".repeat(59)}。${a(500)}`).map(codePoints)).toEqual([560]);
  });

  test("a rest of any length alone is one segment, an empty text none", () => {
    expect(zh("啊")).toEqual(["啊。"]);
    expect(en("a: b")).toEqual(["a: b."]);
    expect(zh("a: b")).toEqual(["a: b。"]);
    expect(en("")).toEqual([]);
    expect(en("...")).toEqual([]);
  });

  test("a closing quote before any sentence opens the first one, where upstream raises", () => {
    expect(zh("。”你好")).toEqual(["”你好。"]);
    expect(en('."a." b')).toEqual(['"a." b.']);
  });

  test("counting at clean cuts equals counting the whole text", () => {
    const whole: Tokenizer = { ...bare(tokenizer), specials: new Map([["a b", 0]]) };
    const wholeTiny: Tokenizer = { ...bare(tiny), specials: new Map([["a b", 0]]) };
    const texts = nastyStrings(250, 7, [...tokenizer.specials.keys()]);
    const joints = [
      ". ",
      ".\n",
      "! ",
      '." ',
      ".",
      ".\t",
      "; \n",
      ".\u3000",
      ".\u2000\u0301",
      "?'s ",
      "a.",
      '1."',
      "s;\u0338",
    ];
    for (const [index, text] of texts.entries()) {
      const long = texts.slice(index, index + 4).join(joints[index % joints.length]) + text.replaceAll(" ", ". ");
      expect(splitParagraph(long, "en", tokenizer)).toEqual(splitParagraph(long, "en", whole));
      expect(splitParagraph(long, "en", tiny)).toEqual(splitParagraph(long, "en", wholeTiny));
    }
  });

  test("random text loses nothing but repeated end marks", () => {
    const ends: Record<Language, RegExp> = { zh: /[。？！；：、.?!;]/g, en: /[.?!;:]/g };
    const text = fc.string({
      unit: fc.oneof(fc.string({ unit: "binary", minLength: 1, maxLength: 1 }), fc.constantFrom(...'。.!?"” 中a1')),
    });
    fc.assert(
      fc.property(text, fc.constantFrom<Language>("zh", "en"), (input, language) => {
        const segments = splitParagraph(input, language, tiny);
        expect(segments.join("").replace(ends[language], "")).toBe(input.replace(ends[language], ""));
        expect(segments.every((segment) => segment !== "")).toBe(true);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });
});

describe("normalize", () => {
  test("the Chinese path", () => {
    expect(speak("我用 iPhone 15 Pro 和 Mac  mini，价格 A - B（很贵）、")).toEqual([
      "我用iPhone 15 Pro和Macmini，价格A，B很贵。",
    ]);
    expect(speak("面积是5m²——大约")).toEqual(["面积是5m平方 大约。"]);
    expect(prompt(" 体积5m³\n【左】`右`，,、")).toBe("体积5m立方左右。");
    expect(prompt("漢字です。3.14")).toBe("漢字です。3。14");
    expect(prompt("中————文 ———")).toBe("中  文 —");
  });

  test("the path of other languages", () => {
    expect(speak("Room 2048")).toEqual(["Room two thousand and forty-eight."]);
    expect(speak("3.14")).toEqual(["three.fourteen."]);
    expect(prompt("  a\nb (c) ")).toBe("a\nb (c)");
    expect(speak("こんにちは")).toEqual(["こんにちは."]);
    expect(prompt("こんにちは")).toBe("こんにちは");
  });

  test("text with a bar-bracket token, and an empty one, pass untouched", () => {
    for (const text of [" 用四川话<|endofprompt|>你好 1。 ", "|> 12 <|", ""]) {
      expect(speak(text)).toEqual([text]);
      expect(prompt(text)).toBe(text);
    }
    expect(normalize(" 12 ", { tokenizer, split: true, frontend: false })).toEqual([" 12 "]);
    expect(speak("a<b>|c")).toEqual(["a<b>|c."]);
  });

  test("segments of punctuation alone are dropped, blanks alone as well where upstream raises", () => {
    expect(speak("……")).toEqual([]);
    expect(speak("!!!")).toEqual([]);
    expect(speak(" \n ")).toEqual([]);
    expect(prompt("……")).toBe("……");
  });

  test("a normaliser sees the stripped text before all other rules", () => {
    const seen: string[] = [];
    const normalizer = (text: string) => {
      seen.push(text);
      return `${text.replace("5", "五")} `;
    };
    expect(normalize(" 共 5 个 ", { tokenizer, split: true, normalizer })).toEqual(["共五个。"]);
    expect(normalize("a 5", { tokenizer, split: false, normalizer })).toBe("a 五 ");
    expect(normalize("中", { tokenizer, split: true, normalizer: () => "" })).toEqual([]);
    expect(seen).toEqual(["共 5 个", "a 5"]);
  });

  test("random text never throws", () => {
    const characters = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
      fc.constantFrom(...'。.!"” \n中a1²`，（-—<|>\u0085'),
    );
    fc.assert(
      fc.property(fc.string({ unit: characters }), (text) => {
        for (const segment of normalize(text, { tokenizer: tiny, split: true })) tiny.encode(segment);
        normalize(text, { tokenizer: tiny, split: false });
      }),
      { numRuns: 3000, seed: 2 },
    );
    for (const text of nastyStrings(1000, 3, ["[laughter]"])) normalize(text, { tokenizer: tiny, split: true });
  });
});

describe("prepareText", () => {
  test("gives segments with their ids", () => {
    expect(prepareText("Hello world!", { tokenizer })).toEqual([{ text: "Hello world!", ids: [9707, 1879, 0] }]);
    const segments = prepareText("今天天气真好。".repeat(30), { tokenizer });
    expect(segments.map(({ text }) => codePoints(text))).toEqual([77, 77, 56]);
    expect(segments.every(({ text, ids }) => tokenizer.decode(ids) === text)).toBe(true);
  });

  test.each([
    ["", "text: it is empty or blank"],
    [" \n\u3000", "text: it is empty or blank"],
    ["……!?", 'text: nothing in "……!?" can be spoken'],
    ["😀".repeat(100), `text: nothing in "${"😀".repeat(40)}…" can be spoken`],
    ["a".repeat(MAX_CODE_POINTS + 1), `text: it has ${MAX_CODE_POINTS + 1} characters, at most ${MAX_CODE_POINTS} fit`],
  ])("refuses a text with one line (%#)", (text, message) => {
    expect(() => prepareText(text, { tokenizer })).toThrow(InputError);
    expect(() => prepareText(text, { tokenizer })).toThrow(message);
  });

  test.each([
    ["Chinese sentences", "今天的天气真不错，我们去公园散步吧！"],
    ["English sentences", "The quick brown fox jumps over the lazy dog. "],
    ["one word a sentence", "a. "],
    ["no blanks", "a.b!"],
    ["no end marks", "many words and no end "],
    ["blanks", "a     \n"],
    ["digits", "1"],
    ["commas", "中，，，，"],
    ["Korean", "안녕하세요 여러분. "],
  ])("100,000 characters of %s take seconds of processor time at most", (_name, part) => {
    const start = process.cpuUsage();
    const text = part.repeat(Math.ceil(100_000 / part.length)).slice(0, 100_000);
    expect(prepareText(text, { tokenizer }).length).toBeGreaterThan(0);
    expect(process.cpuUsage(start).user).toBeLessThan(10e6);
  });
});

/** A tokenizer's methods without its list of added tokens. */
function bare(from: Tokenizer): Omit<Tokenizer, "specials"> {
  return { encode: (text) => from.encode(text), decode: (ids) => from.decode(ids), size: from.size };
}
