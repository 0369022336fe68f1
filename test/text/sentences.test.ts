/** Where sentences end, and where the marks of their ends stand for something else. */
import { describe, expect, test } from "vitest";
import { MOST_CHARACTERS, SentenceCutter, sentencesOf } from "../../src/text/sentences.js";

const cut = (text: string) => sentencesOf(text).map((sentence) => sentence.text);

describe("one sentence", () => {
  test.each([
    "I met Dr. Smith at 9:30.",
    "Prof. Lee paid $3.50 to Mr. Jones of Acme Inc. today.",
    "Bring some fruit, e.g. apples or pears.",
    "J. R. R. Tolkien wrote it, e.g. in 1937.",
    "I live in the U.S. and work.",
    "The U.S. Army came at 5 p.m. Monday.",
    "See Fig. 3, vol. 2, p. 7 and No. 5.",
    "On Jan. 5 and Sept. 9 we met.",
    "Version 2.4.1 costs 3.5 times more.",
    "He lives on Main St. near St. John Church.",
    "Apples, pears, etc. are fruit.",
    'He said "Stop!" and left.',
    "Really?! he asked.",
    "Well... i... am not sure... maybe.",
    "1. Buy milk",
    "a. Buy milk",
    "Visit www.example.com. or not",
    "他说：“你好。”",
    "圆周率是3.14，约数。",
  ])("%s", (text) => {
    expect(cut(text)).toEqual([text]);
  });
});

describe("several", () => {
  test.each([
    ["Is it ready? No. It is late.", ["Is it ready?", "No.", "It is late."]],
    ["I live in the U.S. He works there.", ["I live in the U.S.", "He works there."]],
    ["We sell fruit, etc. The rest is sold.", ["We sell fruit, etc.", "The rest is sold."]],
    ["It was at 5 p.m. They left.", ["It was at 5 p.m.", "They left."]],
    ["So do I. Then we left.", ["So do I.", "Then we left."]],
    ['"Come in!" She sat.', ['"Come in!"', "She sat."]],
    ["**Stop.** Go on.", ["**Stop.**", "Go on."]],
    ["(It rained.) We left.", ["(It rained.)", "We left."]],
    ["It was 1984. Then came 1985.", ["It was 1984.", "Then came 1985."]],
    ["Wait… What?", ["Wait…", "What?"]],
    ["Title\n\nBody text.", ["Title", "Body text."]],
    ["one\r\ntwo\rthree\u2028four", ["one", "two", "three", "four"]],
    ["- apples\n- pears", ["- apples", "- pears"]],
    ["first,\nsecond", ["first,", "second"]],
    ["你好。我来了！是吗？", ["你好。", "我来了！", "是吗？"]],
    ["你好!我来了?是的.对", ["你好!", "我来了?", "是的.", "对"]],
    ["他说：“走吧。”然后就走了。", ["他说：“走吧。”", "然后就走了。"]],
    ["यह एक है। वह दो है।", ["यह एक है।", "वह दो है।"]],
  ])("%s", (text, sentences) => {
    expect(cut(text)).toEqual(sentences);
  });
});

test("which sentences begin a line", () => {
  expect(sentencesOf("One. Two.\n- Three. Four.").map(({ startsLine }) => startsLine)).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

test("nothing waits longer than for the word behind a mark", () => {
  const cutter = new SentenceCutter();
  expect(cutter.push("I met Dr. ")).toEqual([]);
  expect(cutter.push("Smith. ")).toEqual([]);
  expect(cutter.push("T").map(({ text }) => text)).toEqual(["I met Dr. Smith."]);
  expect(cutter.push("he end\n").map(({ text }) => text)).toEqual(["The end"]);
  expect(cutter.end()).toEqual([]);
});

test("what never ends is cut at a comma, else at a blank, else where it is full, and loses nothing", () => {
  for (const unit of ["we bought some apples and pears, ", "word ", "x", "字", "\u{1f600}"]) {
    const text = unit.repeat(3 * MOST_CHARACTERS).trimEnd();
    const sentences = sentencesOf(text);
    expect(sentences.every((sentence) => sentence.text.length <= MOST_CHARACTERS)).toBe(true);
    expect(sentences.map(({ continues }) => continues)).toEqual(sentences.map((_, i) => i > 0));
    expect(
      sentences
        .map((sentence) => sentence.text)
        .join("")
        .replaceAll(" ", ""),
    ).toBe(text.replaceAll(" ", ""));
    if (unit.includes(",")) expect(sentences.every((sentence) => /[,s]$/.test(sentence.text))).toBe(true);
    if (unit === "\u{1f600}") expect(sentences.every((sentence) => !/\p{Surrogate}/u.test(sentence.text))).toBe(true);
  }
});
