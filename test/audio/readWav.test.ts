import { describe, expect, test } from "vitest";
import { decodeWav } from "../../src/audio/readWav.js";
import { readSound } from "../../src/audio/sound.js";
import { encodeWav } from "../../src/audio/wav.js";
import { CosyVoiceError, FileError } from "../../src/errors.js";
import { memoryFile } from "../helpers/memoryFiles.js";
import { seeded } from "../helpers/random.js";
import { packed, swapped, type WavParts, wavFile } from "../helpers/wavFile.js";

const VALUES = [0, 0.5, -0.5, 0.25, -1, 0.75];

describe("decodeWav", () => {
  const kinds = [
    [1, false],
    [2, false],
    [3, false],
    [4, false],
    [4, true],
    [8, true],
  ] as const;
  test.each(kinds)("%s bytes (float: %s), both byte orders, plain and extensible", (width, float) => {
    const data = packed(VALUES, width, float);
    const parts: WavParts = { width, tag: float ? 3 : 1, sampleRate: 44_100 };
    for (const file of [
      wavFile(data, parts),
      wavFile(data, { ...parts, extensible: true }),
      wavFile(swapped(data, width), { ...parts, container: "RIFX" }),
      wavFile(data, { ...parts, container: "RF64", claimed: 0xffff_ffff, longSize: BigInt(data.length) }),
    ]) {
      expect(decodeWav(file, "a.wav")).toEqual({ samples: Float32Array.from(VALUES), sampleRate: 44_100 });
    }
  });

  test("samples of fewer bits lie in the upper ones", () => {
    const file = wavFile(packed(VALUES, 4), { width: 4, bits: 24, extensible: true });
    expect(decodeWav(file, "a.wav").samples).toEqual(Float32Array.from(VALUES));
  });

  test("channels are averaged, other chunks stepped over, a broken last frame left out", () => {
    const list = Uint8Array.from([..."LIST"].map((c) => c.charCodeAt(0)).concat([3, 0, 0, 0, 1, 2, 3, 0]));
    const data = Uint8Array.from([...packed([0.5, -0.5, 1 - 2 ** -15, 0.5, -1, -0.5], 2), 7]);
    const { samples } = decodeWav(wavFile(data, { channels: 3, extra: [list] }), "a.wav");
    expect(samples).toEqual(new Float32Array([(1 - 2 ** -15) / 3, -1 / 3]));
  });

  test("reads what encodeWav writes", () => {
    const samples = new Float32Array([0, 0.1, -0.9, 1]);
    expect(decodeWav(encodeWav(samples, 24_000, "32f"), "a.wav")).toEqual({ samples, sampleRate: 24_000 });
  });

  // Sums over all bytes as Python's audioop decodes them, which is the table of the standard.
  test.each([
    ["A-law", 6, 1_564_672, 100_139_008, { 213: 8, 85: -8, 170: 32_256, 42: -32_256 }],
    ["mu-law", 7, 1_532_928, 98_107_392, { 255: 0, 127: 0, 128: 32_124, 0: -32_124 }],
  ] as const)("%s, as the telephone codes it", (_, tag, size, weighted, known) => {
    const codes = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const extensible of [false, true]) {
      const { samples } = decodeWav(wavFile(codes, { tag, width: 1, extensible }), "a.wav");
      const values = Array.from(samples, (v) => v * 2 ** 15);
      const total = (weight: (v: number, i: number) => number) => values.reduce((all, v, i) => all + weight(v, i), 0);
      expect([total((v) => v), total(Math.abs)]).toEqual([0, size]);
      expect(total((v, i) => (i + 1) * v)).toBe(weighted);
      for (const [code, value] of Object.entries(known)) expect(values[Number(code)]).toBeCloseTo(value, 9);
    }
  });

  const OPEN = [
    0,
    0xffff_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0x7fff_f000,
    0xffff_ffff - 36,
    0x7fff_ffff - 36,
    2e9,
    2 ** 30,
  ];
  test.each(OPEN)("a stream that claims %s bytes is read to its end, and half a sample dropped", (claimed) => {
    const data = packed([...VALUES, ...VALUES], 2);
    for (const container of ["RIFF", "RIFX", "RF64"] as const) {
      const ordered = container === "RIFX" ? swapped(data, 2) : data;
      const file = wavFile(Uint8Array.from([...ordered, 7]), { container, claimed });
      const view = new DataView(file.buffer);
      for (const size of [undefined, 0, 36, 0xffff_ffff, claimed]) {
        if (size !== undefined) view.setUint32(4, size, container !== "RIFX");
        expect(decodeWav(file, "a.wav").samples).toEqual(Float32Array.from([...VALUES, ...VALUES]));
      }
    }
    const long = wavFile(data, { container: "RF64", claimed: 0xffff_ffff, longSize: BigInt(claimed) });
    expect(decodeWav(long, "a.wav").samples.length).toBe(12);
  });

  test("of channels that cancel each other one is used, with a warning", () => {
    const sine = Array.from({ length: 400 }, (_, i) => Math.round(2 ** 13 * Math.sin(i / 9)) / 2 ** 15);
    const stereo = (left: (v: number, i: number) => number, right: (v: number, i: number) => number) =>
      decodeWav(
        wavFile(
          packed(
            sine.flatMap((v, i) => [left(v, i), right(v, i)]),
            4,
            true,
          ),
          { channels: 2, width: 4, tag: 3 },
        ),
        "b.wav",
      );
    const same = (v: number) => v;
    expect(stereo(same, (v) => -v)).toEqual({
      samples: Float32Array.from(sine),
      sampleRate: 16_000,
      warnings: ["b.wav: its 2 channels cancel each other, as when one is inverted; channel 1 alone is used"],
    });
    expect(
      stereo(
        (v) => v + 0.1,
        (v) => 0.1 - 0.95 * v,
      ).warnings,
    ).toHaveLength(1);
    // One that is silent, quieter, or has nothing to do with the other cancels nothing.
    const others = [() => 0, same, (v: number) => -0.5 * v, (_: number, i: number) => Math.cos(i * i)];
    for (const other of others) expect(stereo(same, other).warnings).toBeUndefined();
    expect(
      stereo(
        () => 0,
        () => 0,
      ).warnings,
    ).toBeUndefined();
    const three = packed(
      sine.flatMap((v) => [0, v, -v]),
      4,
      true,
    );
    expect(decodeWav(wavFile(three, { channels: 3, width: 4, tag: 3 }), "b.wav").samples).toEqual(
      Float32Array.from(sine),
    );
  });

  const two = packed(VALUES, 2);
  /** A file without sound, whose last chunk is a note. */
  const emptyAndNote = () => {
    const note = [..."LIST"].map((c) => c.charCodeAt(0)).concat([3, 0, 0, 0, 1, 2, 3, 0]);
    return Uint8Array.from([...wavFile(new Uint8Array()), ...note]);
  };
  const damaged: readonly (readonly [string, Uint8Array, string])[] = [
    [
      "a length that is a lie",
      wavFile(two, { claimed: 96_000 }),
      'its chunk "data" claims 96000 bytes, the file has 12',
    ],
    ["a length that a long file may have", wavFile(two, { claimed: 2 ** 28 }), "it was cut short or never finished"],
    ["an empty sound and a note after it", emptyAndNote(), "holds no sound"],
    ["a cut file", wavFile(two).subarray(0, 50), 'its chunk "data" claims 12 bytes, the file has 6 more'],
    ["no sound", wavFile(new Uint8Array()), "holds no sound"],
    ["no channels", wavFile(two, { channels: 0 }), "0 channels"],
    ["too many channels", wavFile(two, { channels: 60_000 }), "60000 channels"],
    ["no rate", wavFile(two, { sampleRate: 0 }), "a sample rate of 0 Hz"],
    ["an absurd rate", wavFile(two, { sampleRate: 0xffff_ffff }), "a sample rate of 4294967295 Hz"],
    ["an odd width", wavFile(two, { width: 5 }), "whole numbers of 40 bits in 5 bytes"],
    ["more bits than bytes", wavFile(two, { bits: 99 }), "whole numbers of 99 bits in 2 bytes"],
    ["half floats", wavFile(two, { tag: 3 }), "floats of 16 bits in 2 bytes"],
    [
      "another coding",
      wavFile(two, { tag: 2, width: 1 }),
      "coded as ADPCM, only PCM, float, A-law and mu-law are read",
    ],
    ["a law of two bytes", wavFile(two, { tag: 6 }), "codes of 16 bits in 2 bytes, expected 1 bytes"],
    ["a Git LFS pointer", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"), "run git lfs pull"],
    ["not a number", wavFile(packed([0, Number.NaN], 4, true), { tag: 3, width: 4 }), "sample 1 is NaN"],
    ["infinity", wavFile(packed([-1 / 0], 8, true), { tag: 3, width: 8 }), "sample 0 is -Infinity"],
    ["floats at the scale of integers", wavFile(packed([9000], 4, true), { tag: 3, width: 4 }), "sample 0 is 9000"],
    ["no format", wavFile(two).fill(0x20, 12, 16), 'without its "fmt " chunk'],
    ["no data", wavFile(two).subarray(0, 36), 'without its "data" chunk'],
    [
      "chunks without end",
      wavFile(two, { extra: [new Uint8Array(100_000)] }).fill(0x20, 12, 16),
      "more than 1000 chunks",
    ],
    ["another file", new Uint8Array(64), "an unknown kind of file, only WAV is read"],
  ];
  test.each(damaged)("%s gives one clear line", (_, bytes, message) => {
    expect(() => decodeWav(bytes, "a.wav")).toThrow(FileError);
    expect(() => decodeWav(bytes, "a.wav")).toThrow(message);
    expect(() => decodeWav(bytes, "a.wav")).toThrow(/^a\.wav: [^\n]+$/);
  });
});

describe("readSound", () => {
  const head = (text: string) => Uint8Array.from([...text].map((c) => c.charCodeAt(0)).concat(Array(60).fill(0)));
  test.each([
    ["fLaC", "a FLAC file"],
    ["OggS", "an Ogg file"],
    ["ID3\x04", "an MP3 file"],
    ["\xff\xfb\x90", "an MP3 or AAC file"],
    ["\0\0\0\x20ftypM4A ", "an MP4 file"],
    ["hello", "an unknown kind of file"],
  ])("%j is told by its name, with the way out", async (magic, kind) => {
    const message = `prompt: ${kind}, only WAV is read; convert it with: ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav`;
    await expect(readSound(memoryFile(head(magic), "prompt"))).rejects.toThrow(message);
  });

  test("an empty file and one that is too large are not read at all", async () => {
    await expect(readSound(memoryFile(new Uint8Array(), "prompt"))).rejects.toThrow("prompt: the file is empty");
    const large = { ...memoryFile(new Uint8Array(), "prompt"), size: 2 ** 40 };
    await expect(readSound(large)).rejects.toThrow("a recording has at most 268435456");
  });
});

describe("damaged files", () => {
  const HOSTILE = [0, 1, 0x7f, 0x80, 0xff];

  /** A copy that was cut, or has hostile bytes: mostly in its head, where the counts are. */
  function mutated(original: Uint8Array, random: () => number): Uint8Array {
    const below = (limit: number) => Math.floor(random() * limit);
    const bytes = original.slice(0, random() < 0.2 ? below(original.length) : original.length);
    for (let i = 1 + below(6); i > 0; i--) {
      const at = below(random() < 0.8 ? Math.min(100, bytes.length) : bytes.length);
      const value = random() < 0.5 ? (HOSTILE[below(HOSTILE.length)] as number) : below(256);
      bytes.fill(value, at, at + 1 + below(4));
    }
    return bytes;
  }

  const noise = Array.from({ length: 300 }, seeded(3)).map((v) => Math.round(v * 100) / 128);
  test.each([
    ["16 bits", wavFile(packed(noise, 2))],
    ["24 bits, stereo, extensible", wavFile(packed(noise, 3), { width: 3, channels: 2, extensible: true })],
    ["floats, big-endian", wavFile(packed(noise, 4, true), { container: "RIFX", width: 4, tag: 3 })],
    ["A-law, stereo, streamed", wavFile(packed(noise, 1), { width: 1, tag: 6, channels: 2, claimed: 0xffff_ffff })],
    [
      "RF64",
      wavFile(packed(noise, 2), { container: "RF64", claimed: 0xffff_ffff, longSize: BigInt(noise.length * 2) }),
    ],
  ])("%s: 500 of them are read or refused, never more than is there", async (_, original) => {
    const random = seeded(4);
    let refused = 0;
    for (let i = 0; i < 500; i++) {
      const bytes = mutated(original, random);
      try {
        const { samples, sampleRate } = await readSound(memoryFile(bytes, "a.wav"));
        expect(samples.length).toBeLessThanOrEqual(bytes.length);
        expect(sampleRate).toBeGreaterThan(0);
        expect(samples.every(Number.isFinite)).toBe(true);
      } catch (error) {
        if (!(error instanceof CosyVoiceError)) throw new Error(`mutation ${i}: ${error}`);
        expect(error.message).not.toMatch(/\p{Cc}/u);
        expect(error.message.length).toBeLessThan(300);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(50);
    expect(refused).toBeLessThan(500);
  });
});
