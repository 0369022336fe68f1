/** Marks in a text that the tokenizer knows as one id each: [laughter], [quick_breath], <strong>, </strong>. */
import type { TextNormalizer } from "./normalize.js";

/** Ends an instruction in front of a text or a transcript; the tokenizer knows it as one id. */
export const END_OF_PROMPT = "<|endofprompt|>";

/** Whether a text holds marks such as that, which the official front end gives to the model as they are. */
export function isMarked(text: string): boolean {
  return text.includes("<|") && text.includes("|>");
}

/**
 * The normaliser itself, unless it reads one of the tags aloud ("quick underscore breath"): then it is given what stands between
 * the tags, piece by piece.
 */
export function keepingTags(normalizer: TextNormalizer, tags: Iterable<string>): TextNormalizer {
  const longestFirst = [...tags].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((tag) => tag.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|"), "g");
  return (text) => {
    const normalized = normalizer(text);
    const found = longestFirst.length === 0 ? null : text.match(pattern);
    if (!found || normalized.match(pattern)?.join() === found.join()) return normalized;
    return text
      .split(pattern)
      .map((between, i) => betweenTags(between, normalizer) + (found[i] ?? ""))
      .join("");
  };
}

/** Blanks at both ends are kept, which normalisers strip. */
function betweenTags(text: string, normalizer: TextNormalizer): string {
  const words = text.trim();
  if (words === "") return text;
  const start = text.indexOf(words);
  return text.slice(0, start) + normalizer(words) + text.slice(start + words.length);
}
