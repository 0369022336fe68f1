import { beforeAll, describe, expect, test } from "vitest";
import { FileError, InputError } from "../../src/errors.js";
import { loadTokenizer, type Tokenizer, type TokenizerFiles } from "../../src/text/tokenizer.js";
import { nativeTokenizer, qwen2Files, sha256, tinyFiles, tokenizerConfig } from "./qwen2.js";
import { nastyStrings } from "./strings.js";

const tiny = tinyFiles();
const sets: [name: string, files: () => TokenizerFiles][] = [
  ["tiny", () => tiny],
  ["Qwen2", qwen2Files],
];

describe.each(sets)("%s vocabulary against the native tokenizer", (name, load) => {
  let ours: Tokenizer;
  let native: ReturnType<typeof nativeTokenizer>;
  beforeAll(() => {
    const files = load();
    ours = loadTokenizer(files);
    native = nativeTokenizer(files, ours.specials);
  });

  async function expectEqual(texts: string[]) {
    const encodings = await native.encodeBatch(texts, { addSpecialTokens: false });
    const ids = encodings.map((encoding) => encoding.getIds());
    const wrong = texts.filter((text, index) => ours.encode(text).join() !== ids[index]?.join());
    expect(wrong.map((text) => JSON.stringify(text)).slice(0, 5)).toEqual([]);
    return ids;
  }

  test("10,000 nasty strings get equal ids, and the ids equal texts", async () => {
    const ids = await expectEqual(nastyStrings(10_000, name.length, [...ours.specials.keys()]));
    const some = ids.filter((_, index) => index % 10 === 0);
    const decoded = await native.decodeBatch(some, false);
    expect(some.map((row) => ours.decode(row))).toEqual(decoded);
  });

  test("long runs of one character get equal ids", async () => {
    await expectEqual(
      ["a", " ", "\n", " \n", ".", "中", "😀", "e\u0301", "<|im_start|>", "'s"].map((c) => c.repeat(8_000)),
    );
  });
});

test("every assigned character falls into the same class of pre-token as in the native tokenizer", async () => {
  const ours = loadTokenizer(tiny);
  const native = nativeTokenizer(tiny, ours.specials);
  // Of the large blocks, whose characters are all alike, every 16th is enough.
  const isSampled = (character: string, code: number) =>
    !/\p{Cn}|\p{Cs}|\p{Co}/u.test(character) &&
    (code % 16 === 0 ||
      !/\p{Script=Han}|\p{Script=Hangul}|\p{Script=Tangut}|\p{Script=Egyptian_Hieroglyphs}/u.test(character));
  const forms: string[] = [];
  for (let code = 0; code < 0x40000; code++) {
    const c = String.fromCodePoint(code);
    if (isSampled(c, code)) forms.push(`a${c}a .${c}${c}.\n'${c}`);
  }
  expect(forms.length).toBeGreaterThan(40_000);
  const texts: string[] = [];
  for (let start = 0; start < forms.length; start += 64) texts.push(forms.slice(start, start + 64).join(" a "));
  const encodings = await native.encodeBatch(texts, { addSpecialTokens: false });
  const wrong = texts.filter((text, index) => ours.encode(text).join() !== encodings[index]?.getIds().join());
  expect(wrong.map((text) => JSON.stringify(text))).toEqual([]);
});

describe("the release's vocabulary", () => {
  const files = qwen2Files();
  const tokenizer = loadTokenizer(files);

  test("has the release's merges, size and added tokens", () => {
    expect(files.mergesTxt.split("\n")).toHaveLength(134935 + 1);
    expect(sha256(files.mergesTxt)).toBe("ac8ff86a72bee70828fbc1119bc4398c6f3a9a6e490d7b0dbe917be025478bd0");
    expect(tokenizer.size).toBe(151663);
    expect(tokenizer.specials.get("<|endoftext|>")).toBe(151643);
    expect(tokenizer.specials.get("<|endofprompt|>")).toBe(151646);
    expect(tokenizer.specials.get("[laughter]")).toBe(151651);
    expect(tokenizer.specials.get("[mn]")).toBe(151662);
  });

  test.each([
    [
      "希望你以后能够做的比我还好呦。",
      "99658 99317 56568 23031 33447 26232 99521 99190 9370 56006 35946 97706 52801 119024 1773",
    ],
    [
      "收到好友从远方寄来的生日礼物，那份意外的惊喜与深深的祝福让我心中充满了甜蜜的快乐，笑容如花儿般绽放。",
      "50009 26939 52801 97815 45181 99427 23384 101400 36407 9370 21287 8903 99748 52853 3837 99212 69442 36589 47815 9370 " +
        "99851 99370 57218 99194 99194 9370 100549 99477 99258 35946 63109 15946 99356 99333 34187 100475 100576 9370 99234 " +
        "99350 3837 48738 36629 29524 99232 99261 99791 103412 53222 1773",
    ],
    ["用四川话说这句话<|endofprompt|>", "11622 63703 100410 57443 36587 43288 99700 57443 151646"],
    [
      "在他讲述那个荒诞故事的过程中，他突然[laughter]停下来",
      "18493 42411 99526 41932 99212 18947 101293 100924 99535 29826 9370 38182 38507 15946 3837 42411 99624 60894 151651 " +
        "94375 16872 36407",
    ],
    ["こんにちは、世界。", "89015 5373 99244 97120 1773"],
    ["안녕하세요", "126246 144370 91145"],
    ["Hello world!", "9707 1879 0"],
    ["1234", "16 17 18 19"],
    ["中文 English 混合", "15946 16744 6364 6567 115 115 39762"],
    ["You are a helpful assistant.<|endofprompt|>", "2610 525 264 10950 17847 13 151646"],
    ["", ""],
  ])("%s", (text, ids) => {
    expect(tokenizer.encode(text).join(" ")).toBe(ids);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test("Qwen2.5's other tokens are ordinary text", () => {
    expect(tokenizer.encode("<tool_call>").length).toBeGreaterThan(1);
    expect(tokenizer.encode("<|zh|>").length).toBeGreaterThan(1);
  });

  test("a word of 100,000 characters stays fast", () => {
    const start = process.cpuUsage();
    expect(tokenizer.encode("ab".repeat(50_000)).length).toBeGreaterThan(10_000);
    expect(process.cpuUsage(start).user).toBeLessThan(10e6);
  });
});

describe("added tokens", () => {
  const base = Object.keys(JSON.parse(tiny.vocabJson) as object).length;

  test("new ids follow the highest one of added_tokens_decoder", () => {
    const files = { ...tiny, tokenizerConfigJson: tokenizerConfig(base + 10) };
    expect(loadTokenizer(files).specials.get("<|endofprompt|>")).toBe(base + 13);
    expect(loadTokenizer(files).size).toBe(base + 30);
  });

  test("a token that is declared already keeps its id", () => {
    const tokenizerConfigJson = tokenizerConfig(base, ["<|endoftext|>", "[breath]", "<|im_start|>", "<|im_end|>"]);
    const { specials } = loadTokenizer({ ...tiny, tokenizerConfigJson });
    expect(specials.get("[breath]")).toBe(base + 1);
    expect(specials.get("<|endofprompt|>")).toBe(base + 4);
    expect(specials.get("<strong>")).toBe(base + 5);
    expect(specials.size).toBe(20);
  });

  test("the longest of several that match is taken, on the raw text", () => {
    const tokenizerConfigJson = tokenizerConfig(base, ["ab", "abc", "e\u0301"]);
    const tokenizer = loadTokenizer({ ...tiny, tokenizerConfigJson });
    expect(tokenizer.encode("abcab")).toEqual([base + 1, base]);
    expect(tokenizer.encode("e\u0301")).toEqual([base + 2]);
    expect(tokenizer.encode("\u00e9")).not.toEqual([base + 2]);
  });
});

test("decode refuses unknown ids and takes none", () => {
  const tokenizer = loadTokenizer(tiny);
  expect(tokenizer.decode([])).toBe("");
  expect(() => tokenizer.decode([0, 9999])).toThrow(InputError);
  expect(() => tokenizer.decode([-1])).toThrow("tokenizer: id -1 has no token");
  expect(tokenizer.decode([200])).toBe("\ufffd");
});

describe("damaged files get one clear error", () => {
  const vocab = JSON.parse(tiny.vocabJson) as Record<string, number>;
  const withVocab = (change: Record<string, unknown>) => ({
    ...tiny,
    vocabJson: JSON.stringify({ ...vocab, ...change }),
  });
  const withAdded = (change: object) => ({
    ...tiny,
    tokenizerConfigJson: JSON.stringify({ added_tokens_decoder: change }),
  });
  const { a: _, ...lacksByte } = vocab;

  test.each<[string, TokenizerFiles, RegExp]>([
    ["not JSON", { ...tiny, vocabJson: tiny.vocabJson.slice(0, -10) }, /^vocab\.json: not JSON/],
    ["an array", { ...tiny, vocabJson: "[1]" }, /^vocab\.json: expected a JSON object, found \[1\]/],
    ["two tokens, one id", withVocab({ zz: 5 }), /^vocab\.json: .* and "zz" both have id 5/],
    ["a fraction", withVocab({ zz: 1.5 }), /^vocab\.json: "zz" has id 1\.5/],
    ["a huge id", withVocab({ zz: 2 ** 60 }), /^vocab\.json: "zz" has id/],
    ["a text for an id", withVocab({ zz: "7" }), /^vocab\.json: "zz" has id "7"/],
    ["a huge token", withVocab({ ["z".repeat(5000)]: 700 }), /^vocab\.json: a token of 5000 characters/],
    [
      "a byte missing",
      { ...tiny, vocabJson: JSON.stringify(lacksByte) },
      /^vocab\.json: the byte token "a" is missing/,
    ],
    [
      "an unknown token",
      { ...tiny, mergesTxt: "a a\nq q\n" },
      /^merges\.txt: line 2 uses "qq", which vocab\.json lacks/,
    ],
    ["three tokens", { ...tiny, mergesTxt: "a a a\n" }, /^merges\.txt: line 1 is "a a a", expected two/],
    ["one token", { ...tiny, mergesTxt: "a\n" }, /^merges\.txt: line 1/],
    [
      "a token of the object's prototype",
      { ...tiny, mergesTxt: "constr uctor\n" },
      /^merges\.txt: line 1 uses "constr"/,
    ],
    ["a huge file", { ...tiny, mergesTxt: "\n".repeat(2 ** 26 + 1) }, /^merges\.txt: 67108865 characters, at most/],
    ["config not JSON", { ...tiny, tokenizerConfigJson: "" }, /^tokenizer_config\.json: not JSON/],
    ["added tokens in a list", withAdded([1]), /^tokenizer_config\.json: added_tokens_decoder is \[1\]/],
    [
      "an added id taken",
      withAdded({ 3: { content: "<x>" } }),
      /added token "<x>" has id 3, which contradicts vocab\.json/,
    ],
    ["an added id far out", withAdded({ 99999999: { content: "<x>" } }), /added token id "99999999" is not/],
    ["an added id that is no number", withAdded({ x: { content: "<x>" } }), /added token id "x" is not/],
    ["no text", withAdded({ 900: { content: "" } }), /added token 900 has no text/],
    ["one text twice", withAdded({ 900: { content: "<x>" }, 901: { content: "<x>" } }), /"<x>" is declared twice/],
    ["blanks eaten", withAdded({ 900: { content: "<x>", lstrip: true } }), /"<x>" sets lstrip/],
  ])("%s", (_name, files, message) => {
    expect(() => loadTokenizer(files)).toThrow(FileError);
    expect(() => loadTokenizer(files)).toThrow(message);
  });
});
