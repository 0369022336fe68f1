/** The text stage: a text goes in, segments with their token ids come out. */
import { InputError } from "../errors.js";
import { languageOf, namesOf } from "./languages.js";
import { refuseSsml } from "./markup.js";
import { type NormalizeOptions, normalize } from "./normalize.js";
import { type ReaderOptions, type Reading, SentenceReader, type Spoken, takesMarks } from "./read.js";
import { SegmentJoiner, type SegmentOptions, SentenceSplitter } from "./segments.js";
import { sentencesOf } from "./sentences.js";
import { isMarked } from "./tags.js";
import type { Tokenizer } from "./tokenizer.js";
import { codePoints, strip } from "./unicode.js";

/** Longest text of one call, in code points: many hours of speech. */
export const MAX_CODE_POINTS = 1_000_000;

/** A stretch of text that is spoken in one piece. */
export interface Segment {
  readonly text: string;
  /** Token ids [T], T >= 1. */
  readonly ids: readonly number[];
}

/** A text as it will be spoken. */
export interface ReadText {
  readonly segments: readonly Segment[];
  /** What of it cannot be said, or not well, a line each. */
  readonly warnings: readonly string[];
}

export interface ReadOptions extends ReaderOptions, SegmentOptions {
  readonly tokenizer: Tokenizer;
}

/**
 * Reads a text to speak in our way, sentence by sentence.
 * @throws InputError if the text is empty, too long, SSML, or holds nothing that can be spoken.
 */
export async function readText(text: string, options: ReadOptions): Promise<ReadText> {
  requireText(text);
  const { tokenizer } = options;
  // A text with a mark of the model's own is given to it as it is, as the official front end does.
  if (isMarked(text) && takesMarks(options.abilities))
    return { segments: segmentsOf(text, [text], tokenizer), warnings: [] };
  refuseSsml(text);
  const reader = new SentenceReader(options);
  const splitter = new SentenceSplitter(options);
  const joiner = new SegmentJoiner(options);
  let before: Spoken | undefined;
  for await (const spoken of spokenSentences(text, reader)) {
    for (const [index, part] of splitter.split(spoken).entries()) {
      const isFirst = index === 0;
      joiner.add(isFirst ? blankBetween(before, spoken) + part : part, spoken.language, !isFirst || spoken.continues);
    }
    before = spoken;
  }
  const warnings = [...reader.warnings(), ...longSentences(splitter.uncut)];
  if (before === undefined && warnings[0] !== undefined) {
    const instead = `use a model that speaks ${namesOf([languageOf(text) ?? "other"])}`;
    throw new InputError(`${nothingToSay(quote(text), warnings[0])}; ${instead}`);
  }
  return { segments: segmentsOf(text, joiner.end(), tokenizer), warnings };
}

/** A transcript in our way: in one piece, without an end of our own. */
export async function readTranscript(text: string, options: ReadOptions): Promise<string> {
  if (isMarked(text) && takesMarks(options.abilities)) return text;
  const reader = new SentenceReader(options);
  const all: Spoken[] = [];
  for await (const spoken of spokenSentences(text, reader)) all.push(spoken);
  const joined = all.map((spoken, i) => blankBetween(all[i - 1], spoken) + spoken.text).join("");
  return /[\p{L}\p{N}]$/u.test(strip(text)) ? joined.replace(/[.。]$/u, "") : joined;
}

/**
 * Normalises, splits and tokenizes a text as the official front end does, its faults included.
 * @throws InputError if the text is empty, too long or holds nothing that can be spoken.
 */
export function prepareText(text: string, options: NormalizeOptions): Segment[] {
  requireText(text);
  return segmentsOf(text, normalize(text, { ...options, split: true }), options.tokenizer);
}

/** What stands between two sentences: a blank, but not beside a Chinese one. */
export function blankBetween(before: Spoken | undefined, { text }: Spoken): string {
  const wide = /[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]/u;
  return before === undefined || wide.test(before.text.slice(-1)) || wide.test(text.charAt(0)) ? "" : " ";
}

/** @throws InputError for a text that is empty or blank. */
export function requireWords(text: string): void {
  if (strip(text) === "") throw new InputError("text: it is empty or blank; give at least one word to speak");
}

/** @param what was given. @param reason the warning that says what of it cannot be said */
export function nothingToSay(what: string, reason: string): string {
  return `text: nothing in ${what} can be spoken: ${reason.replace(/; left out$/, "")}`;
}

/** Sentences that the model will hardly speak whole. */
export function longSentences(uncut: readonly string[]): string[] {
  return uncut.map(
    (text) =>
      `${quote(text)}: longer than the model speaks well, and nowhere to cut it; words may be lost; put in commas or full stops`,
  );
}

async function* spokenSentences(text: string, reader: Reading): AsyncGenerator<Spoken> {
  for (const sentence of sentencesOf(text)) yield* await reader.read(sentence);
  yield* await reader.end();
}

function requireText(text: string): void {
  requireWords(text);
  const length = codePoints(text);
  if (length > MAX_CODE_POINTS) {
    throw new InputError(`text: it has ${length} characters, at most ${MAX_CODE_POINTS} fit one call; split it`);
  }
}

function segmentsOf(written: string, texts: readonly string[], tokenizer: Tokenizer): Segment[] {
  const segments = texts.map((text) => ({ text, ids: tokenizer.encode(text) })).filter(({ ids }) => ids.length > 0);
  if (segments.length === 0) {
    throw new InputError(`text: nothing in ${quote(written)} can be spoken, it holds only punctuation; add a word`);
  }
  return segments;
}

function quote(text: string): string {
  const start = Array.from(text.slice(0, 80)).slice(0, 40).join("");
  return JSON.stringify(start.length < text.length ? `${start}…` : text);
}
