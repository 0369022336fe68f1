/** Cuts a text into segments at sentence ends (`split_paragraph` of the official front end). */
import type { Tokenizer } from "./tokenizer.js";
import { codePoints } from "./unicode.js";

export type Language = "zh" | "en";

/** Units of a segment upstream. */
export const SEGMENT_LENGTH = 80;
/** A segment is closed before it passes its length, if it already has more than this share of it. */
export const ENOUGH = 0.75;
/** A rest shorter than this share joins the segment before it. */
export const REST = 0.25;

/** No commas; `zh` has no ASCII colon. */
const SENTENCE_ENDS: Record<Language, ReadonlySet<string>> = {
  zh: new Set("。？！；：、.?!;"),
  en: new Set(".?!;:"),
};
const CLOSING_QUOTES: ReadonlySet<string> = new Set('"”');

/**
 * Segments of a normalised text. Units are code points for `zh`, BPE tokens for `en`. There is no hard maximum: a sentence
 * without an end mark is never cut. Of consecutive end marks only the first is kept.
 */
export function splitParagraph(
  text: string,
  language: Language,
  tokenizer: Tokenizer,
  most = SEGMENT_LENGTH,
): string[] {
  const extend = lengthIn(language, tokenizer);
  const segments: string[] = [];
  let current = "";
  let length = NOTHING;
  for (const sentence of sentences(text, language)) {
    let longer = extend(length, sentence);
    if (longer.total > most && length.total > ENOUGH * most) {
      segments.push(current);
      current = "";
      longer = extend(NOTHING, sentence);
    }
    current += sentence;
    length = longer;
  }
  if (current !== "") {
    if (length.total < REST * most && segments.length > 0) segments.push(segments.pop() + current);
    else segments.push(current);
  }
  return segments;
}

/** The text cut after every sentence end and the closing quote that may follow it; an end is added where it lacks one. */
function sentences(text: string, language: Language): string[] {
  // Upstream raises on an empty text.
  if (text === "") return [];
  const ends = SENTENCE_ENDS[language];
  const closed = ends.has(text.charAt(text.length - 1)) ? text : text + (language === "zh" ? "。" : ".");
  const found: string[] = [];
  let start = 0;
  for (let i = 0; i < closed.length; i++) {
    const mark = closed.charAt(i);
    if (!ends.has(mark)) continue;
    if (start < i) found.push(closed.slice(start, i) + mark);
    const next = closed.charAt(i + 1);
    const previous = found.at(-1);
    // Upstream raises if a quote follows an end mark before any sentence; here the quote opens the first one.
    if (CLOSING_QUOTES.has(next) && previous !== undefined) {
      found[found.length - 1] = previous + next;
      start = i + 2;
    } else {
      start = i + 1;
    }
  }
  return found;
}

/** Length of a growing text: `total` units, of which `settled` can no longer change, and the text that holds the others. */
export interface Length {
  readonly total: number;
  readonly settled: number;
  readonly tail: string;
}

export const NOTHING: Length = { total: 0, settled: 0, tail: "" };

/** How a growing text is measured: code points of Chinese, ids of another. */
export function lengthIn(language: Language, tokenizer: Tokenizer): (length: Length, sentence: string) => Length {
  return language === "zh" ? extendByCodePoints : extendByTokens(tokenizer);
}

function extendByCodePoints(length: Length, sentence: string): Length {
  return { total: length.total + codePoints(sentence), settled: 0, tail: "" };
}

/**
 * Token counts of a text that grows by sentences, without encoding it anew for every sentence. The pre-tokenizer always cuts,
 * and NFC never composes, at two places, so that both sides count on their own:
 * - before the end mark of a sentence, if an ASCII letter or digit stands there;
 * - between two sentences, if the second begins with a blank other than a line break.
 * What follows the last such place is encoded together with the next sentence. (An added token could bridge both places; with
 * such a tokenizer everything is.)
 */
function extendByTokens(tokenizer: Tokenizer): (length: Length, sentence: string) => Length {
  const count = (text: string) => (text === "" ? 0 : tokenizer.encode(text).length);
  const bridged = [...tokenizer.specials.keys()].some((token) => /.\p{White_Space}|[0-9A-Za-z][.?!;:]/su.test(token));
  if (bridged) return ({ tail }, sentence) => ({ total: count(tail + sentence), settled: 0, tail: tail + sentence });
  return (length, sentence) => {
    const open = /^(?![\r\n])\p{White_Space}/u.test(sentence) ? { settled: length.total, tail: "" } : length;
    const end = /(?<=[0-9A-Za-z])[.?!;:]["”]?$/.exec(sentence)?.index ?? 0;
    const settled = end > 0 ? open.settled + count(open.tail + sentence.slice(0, end)) : open.settled;
    const tail = end > 0 ? sentence.slice(end) : open.tail + sentence;
    return { total: settled + count(tail), settled, tail };
  };
}
