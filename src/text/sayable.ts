/**
 * What a text may hold for a model that learned from few characters (`Config.speaks`): everything else is folded to its nearest kin
 * that the model knows, read in words, or dropped. Bytes that it never saw would make it babble.
 */
import { withoutAcronyms } from "./capitals.js";

/** Letters that are no letter with a mark. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: "ss",
  ẞ: "SS",
  æ: "ae",
  Æ: "Ae",
  œ: "oe",
  Œ: "Oe",
  ø: "o",
  Ø: "O",
  ł: "l",
  Ł: "L",
  đ: "d",
  Đ: "D",
  ð: "d",
  Ð: "D",
  þ: "th",
  Þ: "Th",
  ı: "i",
  ŋ: "ng",
  ħ: "h",
  ĸ: "k",
  ſ: "s",
};

/** Marks to marks, each with what is put in its place. A dash between blanks is one however it is written. */
const MARKS: readonly (readonly [pattern: RegExp, kin: string])[] = [
  [/[‘’ʼ‛′´＇ʹ]|(?<=\p{L})`(?=\p{L})/gu, "'"],
  [/[“”„‟″ʺ«»‹›「」『』＂]/gu, '"'],
  [/\s+[-‐‑‒–—―−]+(?=\s)|\s*(?:[—―]|--+)+\s*(?=\S)|(?<=\p{L}\s?)[‒–−](?=\s?\p{L})/gu, ", "],
  [/[—―‒–−]+$/gu, ""],
  [/[‐‑‒–−]/gu, "-"],
  [/…/gu, "... "],
  [/[，、､]/gu, ", "],
  [/[。．｡]/gu, ". "],
  [/[；]/gu, "; "],
  [/[：]/gu, ": "],
  [/[！]/gu, "! "],
  [/[？]/gu, "? "],
  [/[¡¿]/gu, ""],
  [/\s*[([{（【〔［]\s*/gu, ", "],
  [/\s*[)\]}）】〕］](?=\s*[.?!,;:]|\s*$)/gu, ""],
  [/\s*[)\]}）】〕］]\s*/gu, ", "],
  [/[•·‣▪◦●■►→⇒➔]/gu, ", "],
  [/"/g, ""],
];

/** Symbols in English words, with blanks around. */
const SYMBOLS: Readonly<Record<string, string>> = {
  "&": "and",
  "@": "at",
  "%": "percent",
  "+": "plus",
  "=": "equals",
  "#": "number",
  "/": " ",
  "\\": " ",
  _: " ",
  "~": " ",
  "|": ",",
  "*": " ",
  "^": " ",
  "`": "",
  "<": "less than",
  ">": "greater than",
  "°": "degrees",
  $: "dollars",
  "€": "euros",
  "£": "pounds",
  "¥": "yen",
  "¢": "cents",
  "×": "times",
  "÷": "divided by",
  "±": "plus or minus",
  "≈": "about",
  "≠": "is not",
  "≤": "at most",
  "≥": "at least",
  "‰": "per thousand",
  "§": "section",
  "∞": "infinity",
  "√": "the root of",
  "©": "copyright",
  "®": "",
  "™": "",
  "℃": "degrees Celsius",
  "℉": "degrees Fahrenheit",
  µ: "micro",
  μ: "micro",
  α: "alpha",
  β: "beta",
  γ: "gamma",
  δ: "delta",
  λ: "lambda",
  π: "pi",
  σ: "sigma",
  ω: "omega",
  Δ: "delta",
  Ω: "omega",
};

/** Abbreviations with stops inside, which a model that learned from whole words has never met. */
const ABBREVIATIONS: readonly (readonly [RegExp, string])[] = [
  [/(?<![\p{L}\p{N}.])e\.\s?g\.?(?![\p{L}\p{N}]),?/giu, "for example,"],
  [/(?<![\p{L}\p{N}.])i\.\s?e\.?(?![\p{L}\p{N}]),?/giu, "that is,"],
  [/(?<![\p{L}\p{N}.])etc\.?(?![\p{L}\p{N}])/giu, "et cetera"],
  [/(?<![\p{L}\p{N}.])Ph\.?\s?D(?![\p{L}\p{N}])\.?/gu, "pee aitch dee"],
  [/(?<![\p{L}\p{N}.])vs\.?(?![\p{L}\p{N}])/giu, "versus"],
  [/(?<![\p{L}\p{N}])AT and T(?![\p{L}\p{N}])/gu, "ay tee and tee"],
  [/(?<![\p{L}\p{N}.])approx\.(?![\p{L}\p{N}])/giu, "approximately"],
  [/(?<![\p{L}\p{N}.])(Inc|Corp|Co|Ltd|Jr|Sr|St|Ave|Blvd|Rd|Dept|Univ)\.(?=\s*\S)/gu, "$1"],
  [/(?<![\p{L}\p{N}.])(\p{L})\.(?=\s?\p{L}\b)/gu, "$1 "],
  [/(?<![\p{L}\p{N}.])(\p{Lu})\.(?=\s*\S)/gu, "$1"],
];

/** Said by nobody: invisible characters, emoji and what makes one of them another. */
const SILENT =
  /\p{Cf}|\p{Cc}|\p{Variation_Selector}|\p{Regional_Indicator}|\p{Emoji_Modifier}|\u20e3|\p{Extended_Pictographic}|\p{So}/u;

export interface Folded {
  readonly text: string;
  /** What could not be said and is not in the text: characters, tags. */
  readonly lost: readonly string[];
}

export class Folder {
  private readonly known: ReadonlySet<string>;

  /**
   * @param characters that the model learned from (`Config.speaks`)
   * @param tags which the tokenizer knows as one id each, such as [laughter]
   */
  constructor(
    characters: string,
    private readonly tags: readonly string[],
  ) {
    this.known = new Set(characters);
  }

  /** A text that is read already, in words, to what the model can say. */
  fold(text: string): Folded {
    const lost: string[] = [];
    let folded = text;
    for (const [pattern, words] of ABBREVIATIONS) folded = folded.replace(pattern, words);
    folded = withoutQuotes(withoutAcronyms(folded));
    for (const [pattern, kin] of MARKS) folded = folded.replace(pattern, (marks) => (this.keeps(marks) ? marks : kin));
    return { text: tidy(this.foldCharacters(folded, lost)), lost };
  }

  /** A text that is not read yet, without the tokenizer's tags, which no text of the training held. */
  withoutTags(text: string): Folded {
    const lost = this.tags.filter((tag) => text.includes(tag) && !this.knows(tag));
    return { text: lost.reduce((rest, tag) => rest.replaceAll(tag, " "), text), lost };
  }

  /** A text that is not read yet, without the letters that cannot be said. */
  withoutLetters(text: string): Folded {
    const lost: string[] = [];
    const kept = text.replace(/[\p{L}\p{M}]+/gu, (word) => {
      if (Array.from(word).every((letter) => this.kinOf(letter) !== undefined)) return word;
      lost.push(word);
      return " ";
    });
    return { text: kept, lost };
  }

  private knows(text: string): boolean {
    return Array.from(text).every((character) => this.known.has(character));
  }

  /** A dash between blanks is never kept: a hyphen joins words. */
  private keeps(marks: string): boolean {
    return this.knows(marks) && !/^\s+-|--/.test(marks);
  }

  private foldCharacters(text: string, lost: string[]): string {
    let folded = "";
    let run = "";
    for (const character of text) {
      const kin = this.kinOf(character);
      folded += kin ?? " ";
      if (kin === undefined) run += character;
      else if (run !== "") {
        lost.push(run);
        run = "";
      }
    }
    if (run !== "") lost.push(run);
    return folded;
  }

  /** What is said for a character; undefined where nothing can be. */
  private kinOf(character: string): string | undefined {
    if (this.known.has(character)) return character;
    if (/\s/u.test(character)) return " ";
    const symbol = SYMBOLS[character];
    if (symbol !== undefined) return symbol === "" ? "" : ` ${symbol} `;
    const letter = LETTERS[character] ?? character.normalize("NFKD").replace(/\p{M}/gu, "");
    for (const kin of [letter, letter.toLowerCase(), letter.toUpperCase()])
      if (kin !== "" && this.knows(kin)) return kin;
    return letter === "" || SILENT.test(character) ? "" : undefined;
  }
}

/** Quotes in pairs are dropped; an apostrophe stays where it belongs to a word. */
function withoutQuotes(text: string): string {
  return text
    .replace(/(?<![\p{L}\p{N}])[‘’'](?=\p{L})([^‘’']*(?:\p{L}[’']\p{Ll}[^‘’']*)*?)[’'](?![\p{L}\p{N}])/gu, "$1")
    .replace(/(?<![\p{L}\p{N}])[‘’'](?=[\p{L}\p{N}])/gu, "");
}

/** Blanks and commas as they are written. */
function tidy(text: string): string {
  return text
    .replace(/\s+/gu, " ")
    .replace(/ (?=[,.;:?!]+(?:\s|$))/g, "")
    .replace(/,(?=[,.;:?!])/g, "")
    .replace(/([.;:?!]),+/g, "$1")
    .replace(/^[ ,.;:?!-]+|[ ,]+$/g, "");
}
