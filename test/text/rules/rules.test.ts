/** Every example beside a rule is read as it says, and needs its rule: the official front end reads it otherwise. */
import { describe, expect, test } from "vitest";
import { normalize } from "../../../src/text/normalize.js";
import { CHINESE } from "../../../src/text/rules/chinese.js";
import { COMMON } from "../../../src/text/rules/common.js";
import { ENGLISH } from "../../../src/text/rules/english.js";
import { BY_SPELLING, UNITS } from "../../../src/text/rules/units.js";
import { readOptions, spoken, wetext } from "../../helpers/reading.js";

const { tokenizer } = readOptions();
const official = async (text: string) =>
  normalize(text, { tokenizer, normalizer: await wetext.normalizerFor(text), split: true }).join("");

describe.each([
  ["every language", COMMON],
  ["English", ENGLISH],
  ["Chinese", CHINESE],
])("of %s", (_, rules) => {
  test.each(rules.map((rule) => [rule.name, rule] as const))("%s", async (_, { pattern, examples }) => {
    expect(pattern.global).toBe(true);
    for (const [written, read] of examples) expect(await spoken(written), written).toBe(read);
    const before = await Promise.all(examples.map(([written]) => official(written)));
    expect(before, "what the official front end reads").not.toEqual(examples.map(([, read]) => read));
  });

  test("have names of their own", () => {
    expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length);
  });
});

test("every unit is read behind a number, alone, in both languages", async () => {
  expect(BY_SPELLING.size).toBe(UNITS.reduce((sum, { written }) => sum + written.split(" ").length, 0));
  for (const [spelling, { one, many, chinese }] of BY_SPELLING) {
    expect(await spoken(`It is 3 ${spelling} here.`), spelling).toBe(`It is three ${many} here.`);
    expect(await spoken(`It is 1${spelling}.`), spelling).toBe(`It is one ${one}.`);
    expect(await spoken(`这里是3${spelling}。`), spelling).toMatch(new RegExp(`^这里是三${chinese ?? spelling}。$`));
  }
});

test("what the official front end reads right stays as it was", async () => {
  for (const text of [
    "It costs $198.97, or $81 million.",
    "It was May 7, 1908.",
    "Meet me at 7:40 pm.",
    "2,739 people and 3/7 of it.",
    "46 km, 43kg and 42 mph.",
    "Mail john.doe42@example.com or see www.example.com/a1.",
    "At 7 o'clock, 50-50.",
    "今天是1999年5月4日，2001/4/5开学。",
    "价格是￥5315.74。",
    "时速64km/h，气温-29℃到4℃。",
    "请拨打16740278432，电话是010-52887991。",
    "18-29岁，2~19天，4/3的人。",
    "9,960,373个，圆周率约3.14159。",
    "比分是2:8，汇率是1:6.89。",
  ])
    expect(await spoken(text)).toBe(await official(text));
});
