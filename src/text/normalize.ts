/** The official front end's `text_normalize`: from what a user types to what the model reads. */
import { spellDigits } from "./digits.js";
import { type Language, splitParagraph } from "./split.js";
import { isMarked } from "./tags.js";
import type { Tokenizer } from "./tokenizer.js";
import { strip } from "./unicode.js";

/** A statistical normaliser of numbers, dates and units. It is given the stripped text, before any other rule. */
export type TextNormalizer = (text: string) => string;

export interface NormalizeOptions {
  /** Counts the length of sentences in other languages than Chinese. */
  readonly tokenizer: Tokenizer;
  /** Default "none": digits are spelled only outside Chinese text. */
  readonly normalizer?: "none" | TextNormalizer;
  /** Units of a segment, ids or Chinese characters (`Config.segmentLength`). Default: upstream's 80. */
  readonly segmentLength?: number | undefined;
  /** False: the text is used as it is, unsplit (`text_frontend`). Default true. */
  readonly frontend?: boolean;
}

/** What makes a text Chinese. */
export const HAN = /[\u4e00-\u9fff]/;
const ONLY_PUNCTUATION = /^[\p{P}\p{S}]*$/u;

/**
 * With `split` the segments of a text to speak, without it one string (a prompt's transcript, which gets no final stop).
 * Text that holds a token like `<|endofprompt|>` is passed through untouched and unsplit.
 */
export function normalize(text: string, options: NormalizeOptions & { readonly split: true }): string[];
export function normalize(text: string, options: NormalizeOptions & { readonly split: false }): string;
export function normalize(text: string, options: NormalizeOptions & { readonly split: boolean }): string | string[] {
  if (isMarked(text) || options.frontend === false || text === "") return options.split ? [text] : text;

  const stripped = strip(text);
  const language: Language = HAN.test(stripped) ? "zh" : "en";
  const { normalizer = "none" } = options;
  const spoken = normalizer === "none" ? stripped : normalizer(stripped);
  const normalized = language === "zh" ? chineseMarks(spoken) : spellDigits(spoken);
  if (!options.split) return normalized;
  const segments = splitParagraph(normalized, language, options.tokenizer, options.segmentLength);
  return segments.filter((segment) => !ONLY_PUNCTUATION.test(segment));
}

/** Marks and blanks of a Chinese text, as the official front end writes them. */
export function chineseMarks(text: string): string {
  const replaced = dropBlanks(text.replaceAll("\n", ""))
    .replaceAll("²", "平方")
    .replaceAll("³", "立方")
    .replaceAll(".", "。")
    .replaceAll(" - ", "，")
    .replace(/[（）【】`]/g, "")
    .replaceAll("——", " ");
  let end = replaced.length;
  while (end > 0 && "，,、".includes(replaced.charAt(end - 1))) end--;
  return end < replaced.length ? `${replaced.slice(0, end)}。` : replaced;
}

/**
 * Keeps a blank only between two ASCII characters that are not blanks. The character before the first is the last one
 * (Python's index -1); behind the last there is none, so a final blank goes (upstream raises).
 */
function dropBlanks(text: string): string {
  const isWord = (index: number) => {
    const code = text.charCodeAt(index);
    return code < 0x80 && code !== 0x20;
  };
  let kept = "";
  let start = 0;
  for (let i = text.indexOf(" "); i >= 0; i = text.indexOf(" ", i + 1)) {
    if (isWord(i + 1) && isWord(i === 0 ? text.length - 1 : i - 1)) continue;
    kept += text.slice(start, i);
    start = i + 1;
  }
  return kept + text.slice(start);
}
