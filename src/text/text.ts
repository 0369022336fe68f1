/** The text stage: a text goes in, segments with their token ids come out. */
import { InputError } from "../errors.js";
import { type NormalizeOptions, normalize } from "./normalize.js";
import { codePoints, strip } from "./unicode.js";

/** Longest text of one call, in code points: many hours of speech. */
export const MAX_CODE_POINTS = 1_000_000;

/** A stretch of text that is spoken in one piece. */
export interface Segment {
  readonly text: string;
  /** Token ids [T], T >= 1. */
  readonly ids: readonly number[];
}

/**
 * Normalises, splits and tokenizes a text to speak.
 * @throws InputError if the text is empty, too long or holds nothing that can be spoken.
 */
export function prepareText(text: string, options: NormalizeOptions): Segment[] {
  requireWords(text);
  const length = codePoints(text);
  if (length > MAX_CODE_POINTS) {
    throw new InputError(`text: it has ${length} characters, at most ${MAX_CODE_POINTS} fit one call; split it`);
  }
  const segments: Segment[] = [];
  for (const segment of normalize(text, { ...options, split: true })) {
    const ids = options.tokenizer.encode(segment);
    if (ids.length > 0) segments.push({ text: segment, ids });
  }
  if (segments.length === 0) {
    throw new InputError(`text: nothing in ${quote(text)} can be spoken, it holds only punctuation; add a word`);
  }
  return segments;
}

/** @throws InputError for a text that is empty or blank. */
export function requireWords(text: string): void {
  if (strip(text) === "") throw new InputError("text: it is empty or blank; give at least one word to speak");
}

function quote(text: string): string {
  const start = Array.from(text.slice(0, 80)).slice(0, 40).join("");
  return JSON.stringify(start.length < text.length ? `${start}…` : text);
}
