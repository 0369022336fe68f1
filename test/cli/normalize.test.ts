import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { cosyvoice } from "./run.js";

/** A model that says nothing of what it can say, and so takes everything. */
const MODEL = ["--model", fileURLToPath(new URL("../models/tiny", import.meta.url))];

const ENGLISH = ["--model", fileURLToPath(new URL("../../weights/english", import.meta.url))];

const json = async (...args: string[]) => {
  const { status, stdout } = await cosyvoice(["normalize", ...args, "--json"]);
  expect(status).toBe(0);
  return JSON.parse(stdout) as {
    text: string;
    normalizer: string;
    segments: { text: string; ids: number[] }[];
    warnings: string[];
  };
};
const texts = async (...args: string[]) => (await json(...args)).segments.map(({ text }) => text);

test("shows what is read, and the ids of it", async () => {
  const { segments, ...rest } = await json("今天是2023年5月4日。", ...MODEL);
  expect(rest).toEqual({ text: "今天是2023年5月4日。", normalizer: "wetext", warnings: [] });
  expect(segments.map(({ text }) => text)).toEqual(["今天是二零二三年五月四日。"]);
  const { status, stdout } = await cosyvoice(["normalize", ...MODEL], { input: "今天是2023年5月4日。\n" });
  expect(status).toBe(0);
  expect(stdout).toBe(`今天是二零二三年五月四日。\n  ${segments[0]?.ids.join(" ")}\n`);
});

test("reads a transcript in one piece, and leaves numbers alone when told so", async () => {
  const prompt = await json("At 5:30 pm", "--prompt");
  expect(prompt.segments.map(({ text }) => text)).toEqual(["At five thirty PM"]);
  const none = await json("5月4日", "--normalize", "none", ...MODEL);
  expect(none.normalizer).toBe("none");
  expect(none.segments.map(({ text }) => text)).toEqual(["5月4日。"]);
});

test("reads in our way, or in the official one with its faults", async () => {
  expect(await texts("No. It is 2 m.", ...MODEL)).toEqual(["No. It is two meters."]);
  expect(await texts("No. It is 2 m.", "--compat", "official", ...MODEL)).toEqual(["number It is two minutes."]);
  expect(await texts("It’s “fine”", ...MODEL)).toEqual(["It’s “fine”."]);
});

test("reads for the voice in the package what that can say, and tells the rest", async () => {
  expect(await texts("It’s “fine” — 42!", ...ENGLISH)).toEqual(["It's fine, forty two!"]);
  const { status, stdout, stderr } = await cosyvoice(["normalize", "Hello 你好.", ...ENGLISH]);
  expect(stderr).toContain('warning: this voice speaks English and cannot say "你好"; left out');
  expect(stdout).toMatch(/^Hello\.\n/);
  expect(status).toBe(0);
  const nothing = await cosyvoice(["normalize", "你好。", ...ENGLISH]);
  expect(nothing.stderr).toMatch(/^error: text: nothing in "你好。" can be spoken: this voice speaks English/m);
  expect(nothing.status).toBe(1);
});
