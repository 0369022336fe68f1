/**
 * Marks that are written for the eye: Markdown and HTML. Every rule looks at one sentence alone, so that text which arrives bit by bit
 * loses the same as a whole one. Only what is unmistakable goes: "2 * 3" and "C#" stay.
 */
import { InputError } from "../errors.js";

type Rule = readonly [pattern: RegExp, replacement: string];

/** Elements of SSML that HTML has not, with a blank, a slash or a bracket behind. */
const SSML =
  /<\/?(?:speak|break|prosody|say-as|phoneme|emphasis|voice|lexicon|amazon:[\w-]+|mstts:[\w-]+)(?=[\s/>])[^<>]*>/giu;

/** At the start of a line. */
const LINE: readonly Rule[] = [
  // Code fences, rules and the line below a table's head say nothing.
  [/^(?:`{3,}|~{3,})\s*[\w+#.-]*\s*$/u, ""],
  [/^(?:[-*_=]\s*){3,}$/u, ""],
  [/^\|?(?:\s*:?-{2,}:?\s*\|)+(?:\s*:?-{2,}:?\s*)?$/u, ""],
  [/^(?:>\s*)+/u, ""],
  [/^#{1,6}\s+(.*?)(?:\s+#+)?$/u, "$1"],
  [/^(?:[-*•◦▪‣·–—]\s+|\+\s+(?=\p{L}))/u, ""],
  [/^\[[ xX]\]\s+/u, ""],
  // A number of a list is read, and its stop is no sentence's end.
  [/^(\d{1,3})[.)]\s+(?=[\u3400-\u9fff])/u, "$1，"],
  [/^(\d{1,3})[.)]\s+/u, "$1, "],
  [/^\(?([a-z])[.)]\s+(?!\d)|^\(?([A-Z])\)\s+/u, "$1$2, "],
  [/^\|\s*|\s*\|$/gu, ""],
];

const INLINE: readonly Rule[] = [
  [SSML, ", "],
  [/\\(?=[!"#'()*+.>[\]_`{|}~-])/gu, ""],
  [/!?\[([^\][]*)\]\([^()\s]*(?:\s+"[^"]*")?\)/gu, "$1"],
  [/<((?:https?:\/\/|mailto:)[^<>\s]+|[^<>\s@]+@[^<>\s]+)>/gu, "$1"],
  [/\s*<br\s*\/?>\s*/giu, ", "],
  [
    /<\/?(?:a|b|i|u|s|p|em|div|span|code|pre|ul|ol|li|h[1-6]|sub|sup|small|mark|del|ins|table|tr|td|th|blockquote|img|hr)(?:\s[^<>]*)?\/?>/giu,
    "",
  ],
  [/(?<=\S)\s*\|\s*(?=\S)/gu, ", "],
  // Emphasis hugs a word on one side and nothing, a blank or a mark on the other.
  [/(?<![\p{L}\p{N}*_~`\\])(?:\*\*\*?|_{1,3}|~~|\*(?!\d))(?=[^\s*_~])/gu, ""],
  [/(?<=[^\s*_~\\])(?:\*{1,3}|_{1,3}|~~)(?![\p{L}\p{N}*_~`])/gu, ""],
  [/\*\*|__(?=[\p{L}\p{N}])|(?<=[\p{L}\p{N}])__/gu, ""],
  [/(?<!\p{L})`+|`+(?!\p{L})/gu, ""],
  [/\[\^[^\]\s]+\]/gu, ""],
  [/&nbsp;/giu, " "],
  [/&amp;/giu, "&"],
  [/&lt;/giu, "<"],
  [/&gt;/giu, ">"],
  [/&(?:quot|#34);/giu, '"'],
  [/&(?:apos|#39);/giu, "'"],
];

/** @param startsLine whether the sentence begins a line, as headings and items of lists do */
export function withoutMarkup(sentence: string, startsLine: boolean): string {
  const rules = startsLine ? [...LINE, ...INLINE] : INLINE;
  const plain = rules.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), sentence);
  return plain.replace(/(?<=\S)[^\S\r\n]{2,}/gu, " ").trim();
}

/** @throws InputError for a text with elements of SSML, which would be read aloud */
export function refuseSsml(text: string): void {
  const element = text.match(SSML)?.[0];
  if (element === undefined) return;
  const shown = element.length > 40 ? `${element.slice(0, 40)}…` : element;
  throw new InputError(
    `text: ${JSON.stringify(shown)} is SSML, which is not read here; give plain text, with commas and full stops for pauses, and --speed (speed) for the pace`,
  );
}
