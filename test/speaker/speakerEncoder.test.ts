/** The speaker encoder at awkward sizes against double precision, and what it promises beyond its numbers. */
import { describe, expect, test } from "vitest";
import { CancelledError, FileError, InputError } from "../../src/errors.js";
import { difference } from "../../src/parity/judge.js";
import { SpeakerEncoder } from "../../src/speaker/speakerEncoder.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { namedModel, namedReader } from "../helpers/namedModel.js";
import { uniform } from "../helpers/random.js";
import { TINY } from "../helpers/tinyRelease.js";
import { speaker as reference } from "./reference.js";

/** Two dense blocks, channels that are no multiples of 4. */
const SIZES = {
  melBins: 24,
  headChannels: 3,
  tdnnChannels: 10,
  blocks: [2, 2],
  dilations: [1, 2],
  growth: 3,
  bottleneck: 6,
  embedding: 9,
};
const CONFIG = { ...TINY, speaker: SIZES };
const read = namedReader("speaker", CONFIG);
const fbank = (frames: number): Float32Array => uniform(frames, frames * SIZES.melBins, -3, 3);

describe.each(adapterNames)("speaker encoder on %s", (adapter) => {
  test("matches double precision at any length, and frees its buffers", async () => {
    const device = await testDevice(adapter);
    const before = device.memory.buffers;
    const encoder = await SpeakerEncoder.load(device, namedModel(CONFIG));
    // The least there can be; an odd number; two whole segments and a third of one frame.
    for (const frames of [3, 33, 402]) {
      const embedding = await encoder.run(fbank(frames));
      const { rel } = difference(embedding, reference(fbank(frames), SIZES, read));
      expect(rel, `${frames} frames`).toBeLessThan(1e-5);
    }
    encoder.destroy();
    expect(device.memory.buffers).toBe(before);
  });
});

// What follows does not depend on the adapter.
test("calls at once wait for each other; a cancelled one stops; what breaks a rule is said", async () => {
  const device = await testDevice(adapterNames.at(-1) as string);
  const encoder = await SpeakerEncoder.load(device, namedModel(CONFIG));
  const [a, b, again] = await Promise.all([fbank(9), fbank(13), fbank(9)].map((input) => encoder.run(input)));
  expect(again).toEqual(a);
  expect(b).not.toEqual(a);
  await expect(encoder.run(fbank(9), { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  await expect(encoder.run(fbank(2))).rejects.toThrow(InputError);
  await expect(encoder.run(new Float32Array(100))).rejects.toThrow("fbank: 100 values; the speaker encoder takes");
  encoder.destroy();
  const { speaker: _, ...without } = CONFIG;
  await expect(SpeakerEncoder.load(device, namedModel(without))).rejects.toThrow(FileError);
});
