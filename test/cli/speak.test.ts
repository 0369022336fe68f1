import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "fast-png";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeWav } from "../../src/audio/wav.js";
import { cosyvoice } from "./run.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cosyvoice-speak-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Sample rate and number of 16-bit mono samples of a WAV file. */
function wavFacts(bytes: Buffer): { rate: number; samples: number } {
  expect(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 16)).toBe("RIFFWAVEfmt ");
  const data = bytes.indexOf("data", 12, "latin1");
  return { rate: bytes.readUInt32LE(24), samples: bytes.readUInt32LE(data + 4) / 2 };
}

describe("speak with the model of the package", () => {
  test("writes a WAV and a spectrogram, and tells what it did as JSON", async () => {
    const [wav, png] = [join(folder, "a.wav"), join(folder, "a.png")];
    const { status, stdout } = await cosyvoice([
      "speak",
      "Yes.",
      "-o",
      wav,
      "--spectrogram",
      png,
      "--seed",
      "3",
      "--json",
    ]);
    expect(status).toBe(0);
    const facts = JSON.parse(stdout);
    const { rate, samples } = wavFacts(readFileSync(wav));
    expect(facts).toMatchObject({ output: wav, sampleRate: rate, samples, seed: 3 });
    expect(facts.tokens).toBeGreaterThan(0);
    expect(facts.samples).toBe(facts.tokens * 960);
    expect(facts.seconds).toBeCloseTo(samples / rate, 9);
    expect(facts.segments).toHaveLength(1);
    expect(["eos", "reserved", "fill", "length"]).toContain(facts.stop);
    for (const stage of ["text", "lmPrefill", "lmDecode", "flow", "vocoder", "total"]) {
      expect(facts.milliseconds[stage]).toBeGreaterThanOrEqual(0);
    }
    const picture = decode(readFileSync(png));
    expect(picture.height).toBe(320);
    expect(readdirSync(folder).sort()).toEqual(["a.png", "a.wav"]);
  });

  test("reads stdin; people get seconds, tokens, stop reason, real-time factor and the time of each stage", async () => {
    const { status, stdout } = await cosyvoice(["speak", "-o", join(folder, "c.wav")], { input: "\ufeffNo.\n" });
    expect(status).toBe(0);
    expect(stdout).toMatch(/c\.wav: \d+\.\d\d s of audio, \d+ speech tokens, stopped /);
    expect(stdout).toMatch(/real-time factor \d/);
    for (const stage of ["text", "language model", "flow", "vocoder"]) {
      expect(stdout).toMatch(new RegExp(`^  ${stage} +\\d+ ms`, "m"));
    }
    expect(stdout).toContain("dispatches per token");
  });

  test.each([
    ["empty text", ["speak", ""], /^error: text: it is empty/m],
    ["only punctuation", ["speak", "?!"], /^error: text: nothing in/m],
    [
      "100,000 characters",
      ["speak", "--text-file", "long.txt"],
      /^error: text: it has 100000 characters, at most \d+/m,
    ],
    ["an unknown voice", ["speak", "Yes.", "--voice", "nobody"], /^error: voice "nobody" is unknown; the model has "/m],
    ["text that is not UTF-8", ["speak", "--text-file", "bad.txt"], /^error: bad\.txt: not UTF-8 text/m],
    ["words of no recording", ["speak", "Yes.", "--prompt-text", "Ah."], /^error: --prompt-text are the words of/m],
    [
      "blank words of a recording",
      ["speak", "Yes.", "--prompt-wav", "gone.wav", "--prompt-text", " "],
      /^error: --prompt-text: it is blank/m,
    ],
    [
      "a recording that is not there",
      ["speak", "Yes.", "--prompt-wav", "gone.wav"],
      /gone\.wav: no such file or folder$/m,
    ],
    ["a damaged recording", ["speak", "Yes.", "--prompt-wav", "bad.txt"], /^error: .*bad\.txt: /m],
    ["a silent recording", ["speak", "Yes.", "--prompt-wav", "silent.wav"], /^error: silent\.wav: silence/m],
    [
      "a damaged voice",
      ["speak", "Yes.", "--voice", "bad.safetensors"],
      /^error: .*bad\.safetensors: 1 bytes, too short/m,
    ],
    [
      "a damaged target",
      ["vc", "hum.wav", "--voice", "bad.safetensors"],
      /^error: .*bad\.safetensors: 1 bytes, too short/m,
    ],
    ["a speed out of range", ["speak", "Yes.", "--speed", "9"], /^error: speed 9 is not between/m],
  ])("%s is one clear line", async (_, args, message) => {
    writeFileSync(join(folder, "long.txt"), "word ".repeat(20_000));
    writeFileSync(join(folder, "bad.txt"), Buffer.from([0xc3, 0x28, 0x41]));
    writeFileSync(join(folder, "bad.safetensors"), "x");
    writeFileSync(join(folder, "silent.wav"), encodeWav(new Float32Array(16_000), 16_000));
    writeFileSync(join(folder, "hum.wav"), encodeWav(new Float32Array(16_000).map(Math.sin), 16_000));
    const before = readdirSync(folder);
    const { status, stderr } = await cosyvoice([...args, "-o", "d.wav"], { cwd: folder });
    expect(stderr).toMatch(message);
    // No model was loaded for it; what can be spoken is known only to the one that reads.
    if (!args.includes("?!")) expect(stderr).not.toContain("speaking on");
    expect(stderr.split("\n").filter((line) => line.startsWith("error: "))).toHaveLength(1);
    expect(status).toBe(1);
    expect(readdirSync(folder)).toEqual(before);
  });

  test("Ctrl-C ends it with status 130 and leaves no file", async () => {
    const text = "This goes on and on. ".repeat(50);
    const { status, stderr } = await cosyvoice(["speak", text, "-o", join(folder, "e.wav")], {
      interrupt: { at: "speaking on", signal: "SIGINT" },
    });
    expect(stderr).toMatch(/^cancelled$/m);
    expect(status).toBe(130);
    expect(readdirSync(folder)).toEqual([]);
  });
});
