import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { decode } from "fast-png";
import { afterEach, beforeEach, expect, test } from "vitest";
import { atomicWrite, requireWritable } from "../../src/cli/atomicWrite.js";
import { drawSpectrogram, spectrogramPng } from "../../src/cli/spectrogram.js";
import { readStream, readTextFile } from "../../src/cli/textInput.js";
import { FileError } from "../../src/errors.js";

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

test("a pipe is written to, and a link stays a link", async () => {
  const [pipe, real, link] = [join(folder, "pipe"), join(folder, "real.wav"), join(folder, "link.wav")];
  execFileSync("mkfifo", [pipe]);
  const reading = readFile(pipe, "utf8");
  await requireWritable(pipe);
  await atomicWrite(pipe, "sound");
  expect(await reading).toBe("sound");
  expect(lstatSync(pipe).isFIFO()).toBe(true);
  writeFileSync(real, "old");
  symlinkSync("real.wav", link);
  await atomicWrite(link, "new");
  expect([readFileSync(real, "utf8"), lstatSync(link).isSymbolicLink()]).toEqual(["new", true]);
});

test("what cannot be written is known before", async () => {
  await requireWritable(join(folder, "a.wav"));
  expect(readdirSync(folder)).toEqual([]);
  await expect(requireWritable(join(folder, "no", "a.wav"))).rejects.toThrow(/the folder .*no does not exist$/);
  await expect(requireWritable(folder)).rejects.toThrow(/it is a folder, name a file$/);
  // Nothing can be made there, not even by root.
  await expect(requireWritable("/proc/a.wav")).rejects.toThrow(FileError);
});

test("speech too short for a spectrum gives a message about the picture", async () => {
  const mel = { nFft: 64, hop: 16, win: 64, bins: 4, fMin: 0, fMax: null };
  const path = join(folder, "a.png");
  await expect(drawSpectrogram(path, { samples: new Float32Array(24), sampleRate: 800 }, mel)).rejects.toThrow(
    /a\.png: there is no picture of so short a speech, .* needs more than 24 samples, got 24$/,
  );
  expect(readdirSync(folder)).toEqual([]);
  await drawSpectrogram(path, { samples: new Float32Array(25), sampleRate: 800 }, mel);
  expect(decode(readFileSync(path)).height).toBe(16);
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
