/** Inline tags on the whole way from what is written to token ids. */
import { describe, expect, test } from "vitest";
import { openGrammars } from "../../src/platform/node.js";
import { keepingTags } from "../../src/text/tags.js";
import { prepareText } from "../../src/text/text.js";
import { loadTokenizer } from "../../src/text/tokenizer.js";
import { Wetext } from "../../src/text/wetext/wetext.js";
import { qwen2Files } from "./qwen2.js";

const tokenizer = loadTokenizer(qwen2Files());
const wetext = new Wetext(openGrammars);
const tags = [...tokenizer.specials.keys()].filter((tag) => !tag.startsWith("<|"));

const FORMS: readonly ((tag: string) => string)[] = [
  (tag) => tag,
  (tag) => `Hello ${tag} world, it is 5 kg.`,
  (tag) => `He said ${tag}5:30 pm${tag}.`,
  (tag) => `${tag} Well, it costs $3.50. ${tag} Yes!${tag}`,
  (tag) => `The ${tag}3rd${tag}${tag} of May.`,
  (tag) => `no ${tag} digits, ${"many words ".repeat(30)}${tag}. ${tag} ${"and more ".repeat(40)}${tag}`,
  (tag) => `他突然${tag}停下来`,
  (tag) => `他付了3.5元 ${tag} ，今天是${tag}2023年5月4日。${tag}`,
  (tag) => `3${tag}4`,
];

test("the release has 16 tags", () => {
  expect(tags).toHaveLength(16);
  expect(tags).toEqual(
    expect.arrayContaining(["[laughter]", "[quick_breath]", "<strong>", "</strong>", "</laughter>"]),
  );
});

describe.each(["wetext", "none"])("normaliser %s", (name) => {
  test.each(tags)("%s is one id wherever it stands", async (tag) => {
    for (const form of FORMS) {
      const text = form(tag);
      const normalizer = keepingTags(await wetext.normalizerFor(text), tokenizer.specials.keys());
      const segments = prepareText(text, { tokenizer, normalizer: name === "none" ? "none" : normalizer });
      const ids = segments.flatMap((segment) => segment.ids);
      const count = ids.filter((id) => id === tokenizer.specials.get(tag)).length;
      expect([text, count]).toEqual([text, text.split(tag).length - 1]);
    }
  });
});

describe("keepingTags", () => {
  const read = (text: string) => text.trim().replaceAll("_", " underscore ").replaceAll("5", "five");
  const keeping = keepingTags(read, ["[a_b]", "[c]", "[c]d"]);

  test("leaves alone what the normaliser does to a text whose tags survive", () => {
    expect(keeping(" [c] 5_5 ")).toBe("[c] five underscore five");
    expect(keeping("5_")).toBe("five underscore ");
  });

  test("reads around tags that would not, with the blanks beside them", () => {
    expect(keeping("5 [a_b]  5_[c]d [c][a_b] ")).toBe("five [a_b]  five underscore [c]d [c][a_b] ");
  });

  test("knows a tokenizer without tags", () => {
    expect(keepingTags(read, [])("5")).toBe("five");
  });

  test("pairs of tags with numbers inside are read as people write them", async () => {
    const text = "I <strong>really</strong> need 5 of them, <laughter>ha ha</laughter> 10 [quick_breath] or 12.";
    const normalizer = keepingTags(await wetext.normalizerFor(text), tokenizer.specials.keys());
    expect(prepareText(text, { tokenizer, normalizer }).map((segment) => segment.text)).toEqual([
      "I <strong>really</strong> need five of them, <laughter>ha ha</laughter> ten [quick_breath] or twelve.",
    ]);
  });
});
