/** Texts as they are read in our way, with the grammars of this package. */
import { openGrammars } from "#platform";
import type { Abilities } from "../../src/text/read.js";
import { type ReadOptions, readText } from "../../src/text/text.js";
import { loadTokenizer } from "../../src/text/tokenizer.js";
import { Wetext } from "../../src/text/wetext/wetext.js";
import { qwen2Files } from "../text/qwen2.js";

export const wetext = new Wetext(openGrammars);
const tokenizer = loadTokenizer(qwen2Files());

/** What the voice in the package says of itself. */
export const ENGLISH_ONLY: Abilities = {
  characters: " !',-.:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
  languages: ["en"],
  modes: ["sft", "zero-shot", "cross-lingual"],
};

export const readOptions = (more: Partial<ReadOptions> = {}): ReadOptions => ({
  tokenizer,
  grammars: (language) => wetext.normalizerOf(language),
  ...more,
});

/** The segments of a text, one after the other. */
export async function spoken(text: string, more: Partial<ReadOptions> = {}): Promise<string> {
  const { segments } = await readText(text, readOptions(more));
  return segments.map((segment) => segment.text).join("");
}

/** The same for a model that knows English letters and marks alone. */
export const spokenByEnglish = (text: string) => spoken(text, { abilities: ENGLISH_ONLY });
