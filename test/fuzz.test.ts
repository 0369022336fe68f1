/**
 * What strangers hand over: recordings, voice files, stored speakers. Hundreds of damaged copies of each; what is still read is sound
 * and voice as the rest of the engine expects them, what is not is refused by one of the library's own errors.
 */
import { describe, expect, it } from "vitest";
import { fbank } from "../src/audio/fbank.js";
import { mel24k } from "../src/audio/mel.js";
import { prepareRecording } from "../src/audio/recording.js";
import { readSound } from "../src/audio/sound.js";
import { whisperMel } from "../src/audio/whisperMel.js";
import { convert } from "../src/checkpoint/convert.js";
import { openModel } from "../src/checkpoint/model.js";
import { type Voice, voiceOf } from "../src/voice.js";
import { decodeVoice, encodeVoice } from "../src/voiceFile.js";
import { fuzz, MUTATIONS } from "./helpers/fuzz.js";
import { memoryFile, memoryFolder, memoryOutput, sha256 } from "./helpers/memoryFiles.js";
import { uniform } from "./helpers/random.js";
import { TINY, tinyRelease } from "./helpers/tinyRelease.js";
import { floats, type Saved, torchFile } from "./helpers/torchFile.js";
import { packed, swapped, type WavParts, wavFile } from "./helpers/wavFile.js";

const SAMPLE_RATE = 24_000;
const MEL = { nFft: 1920, hop: 480, win: 1920, bins: 80, fMin: 0, fMax: 8000 };
const flow = TINY.flow as NonNullable<typeof TINY.flow>;

const finite = (values: ArrayLike<number>) => expect(Array.from(values).every(Number.isFinite)).toBe(true);

function expectUsable({ name, embedding, prompt }: Voice): void {
  expect(name.length).toBeGreaterThan(0);
  expect(embedding).toHaveLength(flow.speakerWidth);
  finite(embedding);
  if (!prompt) return;
  finite(prompt.mel);
  expect(prompt.mel.length % flow.melBins).toBe(0);
  expect(prompt.tokens.every((id) => id >= 0 && id < flow.codes)).toBe(true);
  if (prompt.transcript !== undefined) expect(prompt.transcript.length).toBeLessThanOrEqual(10_000);
}

describe(`${MUTATIONS} damaged recordings of each kind, down to what the networks hear`, () => {
  const noise = [...uniform(1, 4800, -0.5, 0.5)];
  it.each<[string, 2 | 3 | 4 | 8, boolean, WavParts]>([
    ["16 bits", 2, false, {}],
    ["24 bits, stereo, extensible", 3, false, { channels: 2, extensible: true }],
    ["floats, big-endian", 4, true, { container: "RIFX" }],
    ["doubles", 8, true, { sampleRate: 44_100 }],
    ["RF64", 2, false, { container: "RF64", claimed: 0xffff_ffff, longSize: 9600n }],
  ])("%s", async (_, width, float, parts) => {
    const data = packed(noise, width, float);
    const ordered = parts.container === "RIFX" ? swapped(data, width) : data;
    const file = wavFile(ordered, { width, tag: float ? 3 : 1, sampleRate: 22_050, ...parts });
    let trim = false;
    const read = async (bytes: Uint8Array) => {
      trim = !trim;
      const sound = await readSound(memoryFile(bytes, "prompt.wav"));
      expect(sound.samples.length).toBeLessThanOrEqual(bytes.length);
      const { samples, samples16k } = prepareRecording(sound, { name: "prompt.wav", sampleRate: SAMPLE_RATE, trim });
      finite(samples);
      finite(fbank(samples16k));
      finite(whisperMel(samples16k).mel);
      finite(mel24k(samples, MEL, SAMPLE_RATE));
    };
    const refused = await fuzz(file, 30 + width, read, 100);
    expect(refused).toBeGreaterThan(MUTATIONS / 10);
    expect(refused).toBeLessThan(MUTATIONS);
  });
});

describe(`${MUTATIONS} damaged voices of each kind`, () => {
  const embedding = uniform(2, flow.speakerWidth);
  const tokens = Int32Array.of(5, 0, 728);
  const mel = uniform(3, tokens.length * TINY.tokenMelRatio * flow.melBins);

  it.each<[string, Voice]>([
    ["a speaker alone", { name: "voice", embedding }],
    ["a recording", { name: "voice", embedding, prompt: { transcript: "Ah.", tokens, mel } }],
  ])("a voice file: %s", async (_, voice) => {
    const facts = { name: "vöice", transcript: "Ah.", source: "00ff", licence: "CC0" };
    const refused = await fuzz(encodeVoice(voice, flow.melBins, facts), 40, async (bytes) => {
      const file = memoryFile(bytes, "a.voice.safetensors");
      expectUsable((await decodeVoice(file, flow, TINY)).voice);
    });
    expect(refused).toBeGreaterThan(MUTATIONS / 10);
    expect(refused).toBeLessThan(MUTATIONS);
  });

  const speakers = torchFile({
    trained: { embedding: matrix("e", [1, flow.speakerWidth], embedding) },
    recorded: {
      llm_embedding: matrix("l", [1, flow.speakerWidth], embedding),
      flow_prompt_speech_token: {
        shape: [1, tokens.length],
        storage: { key: "t", type: "IntStorage", count: tokens.length, bytes: new Uint8Array(tokens.slice().buffer) },
      },
      prompt_speech_feat: matrix("m", [1, mel.length / flow.melBins, flow.melBins], mel),
    },
  });
  // The flow's own files are left out: its config says all that a speaker is held against.
  const small = new Map([...tinyRelease()].filter(([path]) => /yaml|BlankEN/.test(path)));

  const readSpeakers = async (files: ReadonlyMap<string, Uint8Array | string>) => {
    const model = await openModel(memoryFolder(files));
    for (const name of model.voices) expectUsable(voiceOf(name, await model.voice(name), flow, model.name));
  };

  it("stored speakers: spk2info.pt", async () => {
    await fuzz(speakers, 50, (bytes) => readSpeakers(new Map([...small, ["spk2info.pt", bytes]])));
  });

  it("stored speakers: voices.safetensors", async () => {
    const output = memoryOutput();
    const release = memoryFolder(new Map([...tinyRelease(), ["spk2info.pt", speakers]]));
    await convert(release, output, { version: "0", createHasher: sha256, components: ["vocoder"] });
    const manifest = JSON.parse(new TextDecoder().decode(output.files.get("manifest.json")));
    const refused = await fuzz(output.files.get("voices.safetensors") as Uint8Array, 51, (bytes) => {
      // A hostile sender writes the size that fits into the manifest.
      manifest.files["voices.safetensors"].bytes = bytes.length;
      const files = new Map<string, Uint8Array | string>(output.files);
      return readSpeakers(files.set("voices.safetensors", bytes).set("manifest.json", JSON.stringify(manifest)));
    });
    expect(refused).toBeGreaterThan(MUTATIONS / 10);
  });
});

function matrix(key: string, shape: readonly number[], values: Float32Array): Saved {
  return { shape, storage: floats(key, values) };
}
