/** What is asked of a call to speak, and what comes back. */
import type { Compat } from "./compat.js";
import { InputError } from "./errors.js";
import type { Generated } from "./lm/generate.js";
import { checkChoice, checkNames } from "./options.js";
import { requireWords } from "./text/text.js";
import { MODES, type Mode, type Voice } from "./voice.js";

/** How far work has come: `done` of `total` in some unit, and what is being done now. */
export interface Progress {
  readonly what: string;
  readonly done: number;
  /** Infinite while the end of a text that streams in is not known. */
  readonly total: number;
}

export interface SpeakOptions {
  /** One of `voices`, or a voice made of a recording; default that of `load`. */
  readonly voice?: string | Voice;
  /** What of the voice is used; default what makes most of it. */
  readonly mode?: Mode;
  /** How to speak, in words ("Speak slowly."): mode "instruct". */
  readonly instruct?: string;
  /** Whole number, 0 to 2⁵³ − 1; default 0. The same seed, text, voice, model and adapter give the same samples. */
  readonly seed?: number;
  /** 0.5 (half as fast) to 2; default 1. */
  readonly speed?: number;
  /** Who reads numbers, dates, money and units: the official front end's grammars (default), or nobody. */
  readonly normalizer?: "wetext" | "none";
  /** "official": the ways of the official release where ours differ, its faults included (`compat.ts` lists them). */
  readonly compat?: Compat;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Take the most probable token at every step instead of drawing; mostly of use to compare engines. */
  readonly greedy?: boolean;
  /** false turns off the noise of the vocoder's harmonic source. Default true. */
  readonly sourceNoise?: boolean;
}

/** Why speech ended: the model said so ("eos"), or its greatest length was reached ("length"); the other two are rare stop ids. */
export type Stop = Generated["stop"];

export interface SpokenSegment {
  readonly text: string;
  readonly textTokens: number;
  readonly tokens: number;
  readonly stop: Stop;
  /** Length in samples. */
  readonly samples: number;
}

/** Milliseconds per stage, over all segments. The wait for a text that arrives bit by bit is none of them. */
export interface Timings {
  readonly text: number;
  /** From the request to the first speech token, and from there to the last. */
  readonly lmPrefill: number;
  readonly lmDecode: number;
  readonly flow: number;
  readonly vocoder: number;
  readonly total: number;
}

export interface Speech {
  readonly voice: string;
  readonly mode: Mode | "vc";
  /** Mono, within ±1. */
  readonly samples: Float32Array<ArrayBuffer>;
  readonly sampleRate: number;
  /** Speech tokens of all segments. */
  readonly tokens: number;
  /** "eos" when every segment ended by itself, else what ended the first that did not. */
  readonly stop: Stop;
  readonly segments: readonly SpokenSegment[];
  /** What is likely to be wrong with the sound, a line each. */
  readonly warnings: readonly string[];
  readonly timings: Timings;
  /** GPU dispatches that decoding one token takes. */
  readonly dispatchesPerToken: number;
  /** Submits to the GPU's queue that the language model took, over all segments. */
  readonly lmSubmits: number;
}

/** A recording that another voice speaks again. */
export interface ConvertOptions
  extends Pick<SpeakOptions, "voice" | "seed" | "sourceNoise" | "compat" | "signal" | "onProgress"> {
  /** For messages; default "source". */
  readonly name?: string;
}

/** Characters one call takes: more than an hour of speech. */
export const MAX_CHARACTERS = 50_000;

const SPEED = { least: 0.5, most: 2 };

/** What each call takes; the compiler compares them with the interfaces. */
const CONVERT_OPTIONS = {
  ...{ voice: true, seed: true, sourceNoise: true, compat: true, signal: true, onProgress: true, name: true },
} as const satisfies Record<keyof ConvertOptions, true>;
const SPEAK_OPTIONS = {
  ...{ voice: true, mode: true, instruct: true, seed: true, speed: true, normalizer: true, compat: true },
  ...{ signal: true, onProgress: true, greedy: true, sourceNoise: true },
} as const satisfies Record<keyof SpeakOptions, true>;

/** What can be refused without a model. @throws InputError */
export function checkRequest(text: string | AsyncIterable<string>, options: SpeakOptions): void {
  checkNames("speak", options, SPEAK_OPTIONS);
  checkOptions(options);
  if (typeof text !== "string") return;
  // Code units are enough here: the exact count of characters is at most that.
  if (text.length > MAX_CHARACTERS) {
    throw new InputError(
      `text: it has ${text.length} characters, at most ${MAX_CHARACTERS} fit one call; speak it in parts`,
    );
  }
  requireWords(text);
}

/** What can be refused of a conversion without a model. @throws InputError */
export function checkConversion(options: ConvertOptions): void {
  checkNames("convert", options, CONVERT_OPTIONS);
  checkOptions(options);
}

type Checked = Pick<SpeakOptions, "seed" | "speed" | "mode" | "normalizer" | "compat">;

/** @throws InputError */
export function checkOptions({ seed = 0, speed = 1, mode, normalizer, compat }: Checked): void {
  checkChoice("mode", mode, MODES);
  checkChoice("normalizer", normalizer, ["wetext", "none"]);
  checkChoice("compat", compat, ["official"]);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new InputError(`seed ${seed} is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  if (!(speed >= SPEED.least && speed <= SPEED.most)) {
    throw new InputError(`speed ${speed} is not between ${SPEED.least} and ${SPEED.most}`);
  }
}
