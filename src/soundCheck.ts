/**
 * Does this GPU speak like others? A model folder may hold `sample.wav`, a sentence that the model spoke where it was checked against
 * PyTorch, and `sample.json`, what was asked for: `{"text", "seed"}`. Spoken again here, the two must look alike.
 */
import { mel24k } from "./audio/mel.js";
import type { Sound } from "./audio/readWav.js";
import { readSound } from "./audio/sound.js";
import { type Folder, readJson } from "./checkpoint/source.js";
import type { CosyVoice } from "./cosyvoice.js";
import { FileError } from "./errors.js";
import { pearson } from "./parity/judge.js";
import type { SpeakOptions } from "./speech.js";

/** Least Pearson correlation of the two log-mel spectrograms. */
const ALIKE = 0.99;

export interface SoundCheck {
  readonly text: string;
  readonly correlation: number;
  readonly limit: number;
  /** Seconds of the sentence, here and in the sample. */
  readonly seconds: number;
  readonly expectedSeconds: number;
  readonly passed: boolean;
}

/** @param folder of the model. @throws FileError when it holds no sample of its voice */
export async function soundCheck(
  tts: CosyVoice,
  folder: Folder,
  options: Pick<SpeakOptions, "signal" | "onProgress"> = {},
): Promise<SoundCheck> {
  const { text, seed, sound } = await readSample(folder);
  const { sampleRate } = tts;
  if (sound.sampleRate !== sampleRate) {
    throw new FileError(
      `${folder.name}/sample.wav: ${sound.sampleRate} samples per second, the model speaks ${sampleRate}; make the sample again`,
    );
  }
  const { samples } = await tts.speak(text, { seed, ...options });
  const melOf = (signal: Float32Array) => mel24k(signal, tts.config.mel, sampleRate);
  const [here, there] = [melOf(samples), melOf(sound.samples)] as const;
  const correlation = pearson(here, there);
  return {
    text,
    correlation,
    limit: ALIKE,
    seconds: samples.length / sampleRate,
    expectedSeconds: sound.samples.length / sampleRate,
    // Speech that ends elsewhere says something else, however alike its beginning.
    passed: here.length === there.length && correlation >= ALIKE,
  };
}

async function readSample(folder: Folder): Promise<{ text: string; seed: number; sound: Sound }> {
  const { text, seed } = await readJson(folder, "sample.json");
  if (typeof text !== "string" || typeof seed !== "number") {
    throw new FileError(`${folder.name}/sample.json: it must hold the text (a string) and the seed (a number)`);
  }
  const file = await folder.open("sample.wav");
  try {
    return { text, seed, sound: await readSound(file) };
  } finally {
    await file.close();
  }
}
