/** A reference recording, ready for the three that listen to it: the speech tokenizer, the speaker encoder and the flow. */
import { InputError } from "../errors.js";
import type { Sound } from "./readWav.js";
import { resample } from "./resample.js";
import { cleanUp } from "./trim.js";

/** What the speech tokenizer and the speaker encoder listen at. */
const LISTENING_RATE = 16_000;
/** The speech tokenizer hears at most this much at once. */
export const MAX_SECONDS = 30;
/** Seconds that a voice is best made of: less says little of it, more wanders. */
const BEST = { least: 3, most: 10 };
/** Less holds no syllable, and not enough frames for any of the three. */
const MIN_SECONDS = 0.1;
/** Peak to peak (the mean does not count): −60 dB of full scale. */
const SILENCE = 2e-3;
/** Silence appended after trimming, in seconds of the model's rate, though it is appended at 16 kHz (upstream's slip). */
const TAIL_SECONDS = 0.2;

export interface Recording {
  /** For speech tokens and the speaker vector. */
  readonly samples16k: Float32Array;
  /** For the flow's mel, at the model's rate. */
  readonly samples: Float32Array;
  readonly seconds: number;
}

export interface RecordingOptions {
  /** For messages. */
  readonly name: string;
  /** The model's rate. */
  readonly sampleRate: number;
  /** Cut silence off both ends, bring the peak down to 0.8, append a short silence. */
  readonly trim?: boolean;
  /** Default 30; more only for what is tokenized window by window. */
  readonly maxSeconds?: number;
}

/**
 * Both rates are made from the recording as it is, so that the mel does not lose what lies above 8 kHz; a trimmed recording is
 * brought to 16 kHz first, as upstream did.
 * @throws InputError for a rate under 16 kHz, more than `maxSeconds`, under 0.1 s, silence, or samples that are not finite
 */
export function prepareRecording(sound: Sound, options: RecordingOptions): Recording {
  const { name, sampleRate, trim = false, maxSeconds = MAX_SECONDS } = options;
  checkRecording(sound, name, maxSeconds);
  const heard = resample(sound.samples, sound.sampleRate, LISTENING_RATE);
  if (!trim) {
    const samples = resample(sound.samples, sound.sampleRate, sampleRate);
    return { samples16k: heard, samples, seconds: sound.samples.length / sound.sampleRate };
  }
  const samples16k = cleanUp(heard, Math.floor(TAIL_SECONDS * sampleRate));
  const seconds = samples16k.length / LISTENING_RATE;
  return { samples16k, samples: resample(samples16k, LISTENING_RATE, sampleRate), seconds };
}

/** What is doubtful about a recording that a voice is made of, a line each. */
export function doubts({ samples, sampleRate, warnings = [] }: Sound, name: string): string[] {
  // As it is told: 2.96 s are three to whoever reads the line.
  const seconds = Math.round((10 * samples.length) / sampleRate) / 10;
  if (seconds >= BEST.least && seconds <= BEST.most) return [...warnings];
  const much = seconds < BEST.least ? "a longer one says more of the voice" : "cut out the best of it";
  return [...warnings, `${name}: ${seconds.toFixed(1)} s of sound, ${BEST.least} to ${BEST.most} s are best; ${much}`];
}

/** @throws InputError as `prepareRecording` does, without its work */
export function checkRecording({ samples, sampleRate }: Sound, name: string, maxSeconds = MAX_SECONDS): void {
  if (!(sampleRate >= LISTENING_RATE)) {
    const rule = `at least ${LISTENING_RATE} is needed`;
    throw new InputError(`${name}: a sample rate of ${sampleRate} Hz, ${rule}; use a recording of better quality`);
  }
  const seconds = samples.length / sampleRate;
  if (seconds > maxSeconds) {
    throw new InputError(
      `${name}: ${seconds.toFixed(1)} s of sound, at most ${maxSeconds} s; cut out the best 3 to 10 s`,
    );
  }
  if (seconds < MIN_SECONDS) {
    const rule = `at least ${MIN_SECONDS} s is needed, 3 to 10 s are best`;
    throw new InputError(`${name}: ${(1000 * seconds).toFixed(1)} ms of sound, ${rule}`);
  }
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < samples.length; i++) {
    const v = samples[i] as number;
    if (!Number.isFinite(v)) throw new InputError(`${name}: sample ${i} is ${v}; sound is made of finite numbers`);
    if (v < low) low = v;
    if (v > high) high = v;
  }
  if (high - low < SILENCE) {
    throw new InputError(
      `${name}: silence (no sample is louder than ${((high - low) / 2).toExponential(1)}); record it again`,
    );
  }
}
