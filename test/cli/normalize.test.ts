import { expect, test } from "vitest";
import { cosyvoice } from "./run.js";

const json = async (...args: string[]) => {
  const { status, stdout } = await cosyvoice(["normalize", ...args, "--json"]);
  expect(status).toBe(0);
  return JSON.parse(stdout) as { text: string; normalizer: string; segments: { text: string; ids: number[] }[] };
};

test("shows what is read, and the ids of it", async () => {
  const { segments, ...rest } = await json("今天是2023年5月4日。");
  expect(rest).toEqual({ text: "今天是2023年5月4日。", normalizer: "wetext" });
  expect(segments.map(({ text }) => text)).toEqual(["今天是二零二三年五月四日。"]);
  const { status, stdout } = await cosyvoice(["normalize"], { input: "今天是2023年5月4日。\n" });
  expect(status).toBe(0);
  expect(stdout).toBe(`今天是二零二三年五月四日。\n  ${segments[0]?.ids.join(" ")}\n`);
});

test("reads a transcript in one piece, and leaves numbers alone when told so", async () => {
  const prompt = await json("At 5:30 pm", "--prompt");
  expect(prompt.segments.map(({ text }) => text)).toEqual(["At five thirty PM"]);
  const none = await json("5月4日", "--normalize", "none");
  expect(none.normalizer).toBe("none");
  expect(none.segments.map(({ text }) => text)).toEqual(["5月4日。"]);
});
