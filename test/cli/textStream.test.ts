import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readChunks } from "../../src/cli/textInput.js";
import { cosyvoice } from "./run.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cosyvoice-stream-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("stdin is decoded as it comes; a character may be cut between two chunks", async () => {
  const data = Buffer.from("\ufeff你好");
  const decoded: string[] = [];
  for await (const chunk of readChunks(Readable.from([data.subarray(0, 5), data.subarray(5)]))) decoded.push(chunk);
  expect(decoded.join("|")).toBe("|你好|");
  const broken = async () => {
    for await (const _ of readChunks(Readable.from([data.subarray(0, 5)])));
  };
  await expect(broken()).rejects.toThrow("stdin: not UTF-8 text");
});

test("speak --text-stream speaks what stdin brings", async () => {
  const args = ["speak", "--text-stream", "-o", "a.wav", "--json"];
  const { status, stdout } = await cosyvoice(args, { cwd: folder, input: "Yes\nYou do.\n" });
  expect(status).toBe(0);
  expect(JSON.parse(stdout).segments).toMatchObject([{ text: "Yes. You do." }]);
  expect(readdirSync(folder)).toEqual(["a.wav"]);
});

test("Ctrl-C ends it while stdin is silent, and leaves no file", async () => {
  const args = ["speak", "--text-stream", "-o", join(folder, "b.wav")];
  const interrupt = { at: "waiting for text", signal: "SIGINT" } as const;
  const { status, stderr } = await cosyvoice(args, { open: true, interrupt });
  expect(stderr).toMatch(/^cancelled$/m);
  expect(status).toBe(130);
  expect(readdirSync(folder)).toEqual([]);
});

test("another text beside it is bad usage, and no words are a bad input", async () => {
  for (const more of [["Hello."], ["--text-file", "a.txt"]]) {
    const { status, stderr } = await cosyvoice(["speak", ...more, "--text-stream"]);
    expect(stderr).toContain("--text-stream reads stdin");
    expect(status).toBe(2);
  }
  const { status, stderr } = await cosyvoice(["speak", "--text-stream", "-o", join(folder, "c.wav")], {
    input: "?!\n",
  });
  expect(stderr).toMatch(/^error: text: nothing came that can be spoken/m);
  expect(status).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
});
