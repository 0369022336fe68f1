import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { decode } from "fast-png";
import { afterEach, beforeEach, expect, test } from "vitest";
import { atomicWrite } from "../../src/cli/atomicWrite.js";
import { spectrogramPng } from "../../src/cli/spectrogram.js";
import { readStream, readTextFile } from "../../src/cli/textInput.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cosyvoice-files-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a file is written whole, in the place of an older one", async () => {
  const path = join(folder, "a.wav");
  writeFileSync(path, "old");
  await atomicWrite(path, "new");
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(folder)).toEqual(["a.wav"]);
});

test("a write that fails names the path and leaves nothing", async () => {
  await expect(atomicWrite(join(folder, "no", "a.wav"), "x")).rejects.toThrow(/a\.wav: no such file or folder$/);
  await expect(atomicWrite(folder, "x")).rejects.toThrow(/: it is a folder$/);
  expect(readdirSync(folder)).toEqual([]);
});

test("text comes from a file or a stream alike, without a byte-order mark", async () => {
  const path = join(folder, "a.txt");
  writeFileSync(path, "\ufeff你好\n");
  expect(await readTextFile(path)).toBe("你好\n");
  // A character may be cut between two chunks.
  const data = readFileSync(path);
  expect(await readStream(Readable.from([data.subarray(0, 5), data.subarray(5)]))).toBe("你好\n");
  await expect(readStream(Readable.from([Buffer.from([0xff])]))).rejects.toThrow("stdin: not UTF-8 text");
  await expect(readStream(Readable.from(Array(17).fill(Buffer.alloc(1 << 20, 0x61))))).rejects.toThrow(
    "stdin: more than",
  );
});

test("a spectrogram is bright where it is loud, low bins at the bottom, and never wider than a picture may be", () => {
  const bins = 4;
  const mel = new Float32Array(3 * bins).fill(-10);
  mel[1 * bins + 0] = 0; // frame 1, lowest bin
  const { width, height, data } = decode(spectrogramPng(mel, bins));
  expect([width, height]).toEqual([6, 16]);
  const brightness = (x: number, y: number) =>
    [0, 1, 2].reduce((sum, c) => sum + (data[(y * width + x) * 3 + c] as number), 0);
  expect(brightness(2, 15)).toBeGreaterThan(500);
  expect(brightness(2, 0)).toBeLessThan(60);
  expect(brightness(0, 15)).toBeLessThan(60);
  const long = decode(spectrogramPng(new Float32Array(20_000 * bins), bins));
  expect(long.width).toBeLessThanOrEqual(8192);
});
