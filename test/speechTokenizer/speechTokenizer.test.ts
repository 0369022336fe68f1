/** The speech tokenizer at awkward sizes against double precision, its windows, and what it promises beyond its numbers. */
import { describe, expect, test } from "vitest";
import { CancelledError, FileError, InputError } from "../../src/errors.js";
import { difference } from "../../src/parity/judge.js";
import { SpeechTokenizer } from "../../src/speechTokenizer/speechTokenizer.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { namedModel, namedReader } from "../helpers/namedModel.js";
import { uniform } from "../helpers/random.js";
import { TINY } from "../helpers/tinyRelease.js";
import { fsq } from "../reference/fsq.js";
import { speechTokenizer as reference } from "./reference.js";

/** Three heads of six channels, five digits. */
const SIZES = {
  melBins: 7,
  width: 18,
  heads: 3,
  ffn: 11,
  layers: 2,
  fsqDims: 5,
  fsmnKernel: 5,
  attnNormEps: 1e-6,
  mlpNormEps: 1e-5,
};
const CONFIG = { ...TINY, speechTokenizer: SIZES };
const read = namedReader("speechTokenizer", CONFIG);
const mel = (frames: number): Float32Array => uniform(frames, frames * SIZES.melBins);

describe.each(adapterNames)("speech tokenizer on %s", (adapter) => {
  test("matches double precision at any length, and frees its buffers", async () => {
    const device = await testDevice(adapter);
    const before = device.memory.buffers;
    const tokenizer = await SpeechTokenizer.load(device, namedModel(CONFIG));
    for (const frames of [1, 5, 42]) {
      const { ids, hidden } = await tokenizer.run(mel(frames));
      expect(difference(hidden, reference(mel(frames), SIZES, read)).rel, `${frames} frames`).toBeLessThan(1e-5);
      expect(ids).toEqual(Int32Array.from(fsq(hidden, SIZES.fsqDims)));
    }
    tokenizer.destroy();
    expect(device.memory.buffers).toBe(before);
  });
});

// What follows does not depend on the adapter.
const adapter = adapterNames.at(-1) as string;

test("long audio is tokenised in windows, of which the overlaps are halved", async () => {
  const tokenizer = await SpeechTokenizer.load(await testDevice(adapter), namedModel(CONFIG));
  const windows = { frames: 48, overlap: 16 };
  const frames = 101; // windows from 0, 32 and 64; the last has 37 frames
  const whole = mel(frames);
  const { ids, hidden } = await tokenizer.run(whole, { windows });
  const { melBins, fsqDims } = SIZES;
  const part = async (from: number, to: number, keepFrom: number, keepTo: number): Promise<Float32Array> => {
    const one = await tokenizer.run(whole.subarray(from * melBins, to * melBins));
    return one.hidden.subarray(keepFrom * fsqDims, keepTo * fsqDims);
  };
  const want = [await part(0, 48, 0, 10), await part(32, 80, 2, 10), await part(64, 101, 2, 10)];
  expect(ids.length).toBe(26);
  expect([...hidden]).toEqual(want.flatMap((values) => [...values]));
  // The end of a window that reaches the end of the sound is the end.
  expect((await tokenizer.run(whole.subarray(0, 48 * melBins), { windows })).ids.length).toBe(12);
  expect((await tokenizer.run(whole.subarray(0, 49 * melBins), { windows })).ids.length).toBe(13);
  tokenizer.destroy();
});

test("calls at once wait for each other; a cancelled one stops; what breaks a rule is said", async () => {
  const tokenizer = await SpeechTokenizer.load(await testDevice(adapter), namedModel(CONFIG));
  const [a, b, again] = await Promise.all([mel(9), mel(13), mel(9)].map((input) => tokenizer.run(input)));
  expect(again).toEqual(a);
  expect(b?.ids.length).toBe(4);
  await expect(tokenizer.run(mel(9), { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  await expect(tokenizer.run(new Float32Array(0))).rejects.toThrow(InputError);
  await expect(tokenizer.run(new Float32Array(8))).rejects.toThrow("mel: 8 values; the speech tokenizer takes");
  tokenizer.destroy();
  const { speechTokenizer: _, ...without } = CONFIG;
  const device = await testDevice(adapter);
  await expect(SpeechTokenizer.load(device, namedModel(without))).rejects.toThrow(FileError);
  const odd = { ...CONFIG, speechTokenizer: { ...SIZES, width: 21 } };
  await expect(SpeechTokenizer.load(device, namedModel(odd))).rejects.toThrow("have 7 channels; even numbers up to");
});
