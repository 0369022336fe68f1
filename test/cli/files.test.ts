import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { decode } from "fast-png";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { atomicWrite, requireEnding, requireWritable } from "../../src/cli/atomicWrite.js";
import { drawSpectrogram, spectrogramPng } from "../../src/cli/spectrogram.js";
import { readChunks, readStream, readTextFile } from "../../src/cli/textInput.js";
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

describe("text in other encodings", () => {
  const words = "Grüß Gott, 你好 👋\n";
  const wide = (text: string, big = false) => {
    const bytes = Buffer.from(text, "utf16le");
    return big ? bytes.swap16() : bytes;
  };
  const marked = (text: string, big = false) => wide(`\ufeff${text}`, big);
  const utf32 = (text: string) =>
    Buffer.concat(Array.from(text, (letter) => Buffer.from(Uint32Array.of(letter.codePointAt(0) ?? 0).buffer)));

  test.each([
    ["UTF-8", Buffer.from(words)],
    ["UTF-8 with a mark", Buffer.from(`\ufeff${words}`)],
    ["UTF-16LE", marked(words)],
    ["UTF-16BE", marked(words, true)],
  ])("%s is read, however it is cut", async (_, bytes) => {
    const path = join(folder, "a.txt");
    writeFileSync(path, bytes);
    expect(await readTextFile(path)).toBe(words);
    for (const size of [1, 2, 3, 5, 64]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      let text = "";
      for await (const piece of readChunks(Readable.from(pieces))) text += piece;
      expect(text).toBe(words);
    }
  });

  test("nothing is held back of text without a mark", async () => {
    const pieces: string[] = [];
    for await (const piece of readChunks(Readable.from([Buffer.from("a"), Buffer.from("b")]))) pieces.push(piece);
    expect(pieces.slice(0, 2)).toEqual(["a", "b"]);
    expect(await readStream(Readable.from([]))).toBe("");
  });

  test.each<[string, Uint8Array, RegExp]>([
    [
      "UTF-16 without a mark",
      wide("Hello there."),
      /not UTF-8 text; it looks like UTF-16 without its byte-order mark: save/,
    ],
    ["big-endian too", wide("Hello there.", true), /it looks like UTF-16 without its byte-order mark/],
    ["of Chinese", wide("你好，世界。今天天气很好。"), /it looks like UTF-16 without its byte-order mark/],
    ["UTF-32", utf32("\ufeffHi."), /it looks like UTF-32: save it as UTF-8$/],
    ["UTF-32 without a mark", utf32("Hi there."), /it looks like UTF-32 without/],
    [
      "GBK",
      Buffer.from("c4e3bac3a3accac0bde7a1a3", "hex"),
      /not UTF-8 text; it looks like an older encoding, such as GBK/,
    ],
    [
      "Windows-1252",
      Buffer.from("A na\xefve caf\xe9 au lait", "latin1"),
      /an older encoding, such as GBK or Windows-1252/,
    ],
    ["half a character", marked("Hi").subarray(0, 5), /stdin: damaged UTF-16LE text$/],
  ])("%s is refused by what it looks like", async (_, bytes, message) => {
    await expect(readStream(Readable.from([bytes]))).rejects.toThrow(message);
    await expect(readStream(Readable.from([bytes]))).rejects.toThrow(/^stdin: [^\n]+$/);
  });
});

test("a name that promises another kind of file is refused, any other is not", () => {
  for (const name of ["a.mp3", "a.OGG", "b.c/x.opus", "x.flac", "x.m4a", "x.aac", "x.wav.mp3", "x.pcm"]) {
    expect(() => requireEnding(name, "WAV")).toThrow(/: only WAV is written; name it .*\.wav$/);
  }
  expect(() => requireEnding("out.mp3", "WAV")).toThrow("out.mp3: only WAV is written; name it out.wav");
  for (const name of ["a.wav", "A.WAV", "out", "-", "/dev/stdout", "a.b", "mp3", ".mp3", "x.mp3/out", "1.5"]) {
    requireEnding(name, "WAV");
  }
  expect(() => requireEnding("a.jpg", "PNG")).toThrow("a.jpg: only PNG is written; name it a.png");
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
