/**
 * From a written sentence to a spoken one: marks for the eye off, what the grammars read wrong put right, numbers read by the grammar of
 * the sentence's language, and the whole folded to what the model can say.
 */
import type { SpeaksConfig } from "../config.js";
import { InputError } from "../errors.js";
import { stopAfter } from "./abbreviations.js";
import { withoutShouting } from "./capitals.js";
import { spellDigits } from "./digits.js";
import { languageOf, namesOf, type Tongue } from "./languages.js";
import { refuseSsml, withoutMarkup } from "./markup.js";
import { chineseMarks, HAN, type NormalizeOptions, normalize, type TextNormalizer } from "./normalize.js";
import { CHINESE } from "./rules/chinese.js";
import { COMMON } from "./rules/common.js";
import { ENGLISH } from "./rules/english.js";
import { applyRules } from "./rules/rule.js";
import { Folder } from "./sayable.js";
import type { Sentence } from "./sentences.js";
import type { Language } from "./split.js";
import { END_OF_PROMPT, isMarked, keepingTags } from "./tags.js";
import type { Tokenizer } from "./tokenizer.js";
import { strip } from "./unicode.js";

/** What a model was trained to say; without it, everything. */
export type Abilities = SpeaksConfig;

export interface ReaderOptions {
  readonly tokenizer: Pick<Tokenizer, "specials">;
  /** Reads numbers, dates and units of a language; "none" leaves a text as it is written. */
  readonly grammars: "none" | ((language: Language) => Promise<TextNormalizer>);
  readonly abilities?: Abilities | undefined;
}

/** A sentence as it is spoken. */
export interface Spoken {
  readonly text: string;
  readonly language: Language;
  /** It goes on with what was cut from it before only because that had become too long. */
  readonly continues: boolean;
}

/** Reads the sentences of one text, one after the other. */
export interface Reading {
  /** What is spoken once a sentence has come: nothing, one or more sentences. */
  read(sentence: Sentence): Promise<Spoken[]>;
  /** What was still waiting, when nothing more comes. */
  end(): Promise<Spoken[]>;
  /** What of the sentences so far cannot be said. */
  warnings(): string[];
}

/** Words that the English grammar writes out, rightly. */
const SHORTENED = new Set(["Mr", "Mrs", "Ms", "Jr"]);
/** Words in which it may see an abbreviation, or one of its own names: "Wed", "Bei", "iOS". */
const CAPITALISED = /(?<![\p{L}\p{N}'’])(?=\p{L}*\p{Lu})(?=\p{L}*\p{Ll})\p{L}+(?![\p{L}\p{N}])/gu;
/** "No" is a word where no number follows, and M.D. not Maryland. */
const NO = /(?<![\p{L}\p{N}])(?:N[oO]\.(?!\s*#?\d)|(?:[MB]\.[DA]|Ph\.D)\.)/gu;

/** Characters of nobody: each stands for a word that the grammar must not see. It passes them on. */
const STAND_INS = 0xe000;
const MOST_STAND_INS = 0x1900;
const STAND_IN = /[\ue000-\uf8ff]/gu;

const FINAL_MARKS = /[.?!…。？！।؟۔]+["'”’」』»）)\]】》]*$/u;
/** The official splitter's ends, an ellipsis, and the ends of other scripts. */
const CLOSED = /[.?!;:。？！；：、…।؟۔]["'”’」』»）)\]】》]*$/u;
const WORD = /[\p{L}\p{N}]/u;

/** Reads in our way. */
export class SentenceReader implements Reading {
  /** Of the sentence before: numbers alone are read in it. */
  private tongue: Tongue | undefined;
  /** Sentences without a letter at the start of a text, until its language is known. */
  private waiting: string[] = [];
  private begun = false;
  private readonly folder: Folder | undefined;
  private readonly grammars = new Map<Language, TextNormalizer>();
  private readonly lost = new Set<string>();
  private readonly strange = new Set<Tongue>();

  constructor(private readonly options: ReaderOptions) {
    const { abilities, tokenizer } = options;
    this.folder = abilities && new Folder(abilities.characters, [...tokenizer.specials.keys()]);
  }

  async read({ text, startsLine, continues }: Sentence): Promise<Spoken[]> {
    // What comes later is not worth losing the speech that is made already.
    if (!this.begun) refuseSsml(text);
    if (isMarked(text) && takesMarks(this.options.abilities)) {
      this.begun = true;
      return [{ text, language: HAN.test(text) ? "zh" : "en", continues }];
    }
    if (text.includes(END_OF_PROMPT)) {
      throw new InputError(
        `text: ${END_OF_PROMPT} ends an instruction, and this model was not trained for any: it would be read aloud; leave it out, or use another model`,
      );
    }
    const written = this.options.grammars === "none" ? text : withoutMarkup(text, startsLine);
    const tongue = this.options.grammars === "none" ? languageOf(written) : languageOf(withoutAddresses(written));
    this.tongue = tongue ?? this.tongue;
    if (this.tongue === undefined && this.soleLanguage === undefined) {
      this.waiting.push(written);
      return [];
    }
    return this.readAll([...this.waiting.splice(0), written], this.tongue, continues);
  }

  async end(): Promise<Spoken[]> {
    const waiting = this.waiting.splice(0);
    // As upstream has it: digits alone are Chinese, with any mark English.
    const language = /^\p{Nd}+$/u.test(waiting.join("")) ? "zh" : "en";
    return this.readAll(waiting, language);
  }

  warnings(): string[] {
    const { abilities } = this.options;
    if (!abilities) return [];
    const spoken = namesOf(abilities.languages);
    const lost = [...this.lost];
    const shown = lost.slice(0, 8).map((piece) => JSON.stringify(piece.length > 20 ? `${piece.slice(0, 20)}…` : piece));
    const more = lost.length > shown.length ? ` and ${lost.length - shown.length} more` : "";
    return [
      ...(lost.length > 0 ? [`this voice speaks ${spoken} and cannot say ${shown.join(", ")}${more}; left out`] : []),
      ...(this.strange.size > 0
        ? [
            `this voice speaks ${spoken}; what is written in ${namesOf([...this.strange])} is read as if it were ${spoken}`,
          ]
        : []),
    ];
  }

  private get soleLanguage(): string | undefined {
    const { abilities } = this.options;
    return abilities?.languages.length === 1 ? abilities.languages[0] : undefined;
  }

  private async readAll(sentences: readonly string[], tongue?: Tongue, continues = false): Promise<Spoken[]> {
    const spoken: Spoken[] = [];
    for (const sentence of sentences) {
      const read = await this.readOne(sentence, tongue);
      if (WORD.test(read.text)) spoken.push({ ...read, continues });
    }
    this.begun ||= spoken.length > 0;
    return spoken;
  }

  private async readOne(sentence: string, tongue: Tongue | undefined): Promise<Omit<Spoken, "continues">> {
    const { abilities, grammars } = this.options;
    const isKnown = tongue === undefined || !abilities || abilities.languages.includes(tongue);
    const own = isKnown ? tongue : this.soleLanguage;
    const grammar: Language = (own ?? this.soleLanguage) === "zh" || own === "ja" ? "zh" : "en";
    const lost: string[] = [];
    const tagless = this.fold(sentence, lost, "withoutTags");
    const written = isKnown ? tagless : this.fold(tagless, lost, "withoutLetters");
    // Marks go by the script, as upstream's do: digits alone are read in Chinese and get an English stop.
    const language: Language = HAN.test(written) || (grammar === "zh" && this.tongue === "zh") ? "zh" : "en";
    const ordinary = this.folder && grammar === "en" ? withoutShouting(written) : written;
    // In other languages numbers stay digits, which a model reads in the language that it hears around them.
    const isRead = own === undefined || own === "zh" || own === "ja" || own === "en";
    const words =
      grammars === "none"
        ? withoutNumbers(ordinary, language)
        : isRead
          ? await this.spell(ordinary, grammar, language)
          : ordinary;
    const text = this.fold(words, lost, "fold");
    for (const piece of lost) this.lost.add(piece);
    if (!isKnown && lost.length === 0 && WORD.test(text)) this.strange.add(tongue);
    return { text: closed(text, language), language };
  }

  /** @param lost gets what cannot be said */
  private fold(text: string, lost: string[], how: "fold" | "withoutLetters" | "withoutTags"): string {
    if (!this.folder) return text;
    const folded = this.folder[how](text);
    lost.push(...folded.lost);
    return folded.text;
  }

  /** Numbers, dates and units in words, by our rules and then the official grammar. */
  private async spell(written: string, grammar: Language, language: Language): Promise<string> {
    const { body, tail } = parted(written);
    return withoutNumbers((await this.grammarOf(grammar))(body) + tail, language);
  }

  private async grammarOf(language: Language): Promise<TextNormalizer> {
    const known = this.grammars.get(language);
    const { grammars, tokenizer } = this.options;
    if (known || grammars === "none") return known ?? strip;
    const grammar = await grammars(language);
    // The verbaliser escapes quotes, and nobody takes that back upstream.
    const unescaped: TextNormalizer = (text) => (text === "" ? "" : grammar(text).replace(/\\(["\\])/g, "$1"));
    const kept = language === "en" ? keepingWords(unescaped) : unescaped;
    const rules = [...COMMON, ...(language === "zh" ? CHINESE : ENGLISH)];
    const reading = keepingTags((text) => {
      const ruled = applyRules(text, rules);
      // Without a number there is nothing to read in Chinese.
      return language === "zh" && !/\p{Nd}/u.test(ruled) ? strip(ruled) : kept(ruled);
    }, tokenizer.specials.keys());
    this.grammars.set(language, reading);
    return reading;
  }
}

/** Marks in a text are those of instructions and languages. */
export function takesMarks(abilities: Abilities | undefined): boolean {
  return abilities === undefined || abilities.modes.includes("instruct");
}

/** What the official front end rewrites itself, behind its grammars or without them. */
function withoutNumbers(text: string, language: Language): string {
  return language === "zh" ? chineseMarks(strip(text)) : spellDigits(strip(text));
}

/** Addresses are Latin in every language. */
function withoutAddresses(text: string): string {
  return text.replace(/\b(?:https?:\/\/|www\.)\S+|\S+@\S+\.\S+/gu, "");
}

/**
 * A sentence and the marks that end it, which the grammars might take for an abbreviation's. Of several marks the first is kept, as by
 * the official splitter.
 */
function parted(sentence: string): { body: string; tail: string } {
  const marks = FINAL_MARKS.exec(sentence);
  if (!marks) return { body: sentence, tail: "" };
  const body = sentence.slice(0, marks.index);
  if (marks[0].startsWith(".") && stopAfter(body) !== "ends" && !/(?<!\p{L})N[oO]$/u.test(body))
    return { body: sentence, tail: "" };
  return { body, tail: marks[0] };
}

/** The English grammar, but for words that it would take for something else. */
function keepingWords(grammar: TextNormalizer): TextNormalizer {
  const changes = new Map<string, boolean>();
  const isChanged = (word: string) => {
    const known = changes.get(word) ?? (grammar(word) !== word && !SHORTENED.has(word));
    changes.set(word, known);
    return known;
  };
  return (text) => {
    const kept: string[] = [];
    const used = new Set(text.match(STAND_IN));
    const standIn = (word: string) => {
      const character = String.fromCharCode(STAND_INS + kept.length + used.size);
      if (used.has(character) || kept.length + used.size >= MOST_STAND_INS) return word;
      kept.push(word);
      return character;
    };
    const hidden = text.replace(NO, standIn).replace(CAPITALISED, (word) => (isChanged(word) ? standIn(word) : word));
    const spoken = grammar(hidden);
    return spoken.replace(STAND_IN, (character) => kept[character.charCodeAt(0) - STAND_INS - used.size] ?? character);
  };
}

/** Runs of the official splitter's ends, of which it keeps the first, and those that nothing stands before. */
const RUNS: Readonly<Record<Language, RegExp>> = {
  en: /^[.?!;:]+(?:["”]\s*)?|(?<=[.?!;:])[.?!;:]+/gu,
  zh: /^[。？！；：、.?!;]+|(?<=[。？！；：、.?!;])[。？！；：、.?!;]+/gu,
};

/** With one mark where several stand, and one at the end. */
function closed(text: string, language: Language): string {
  const ended = text
    .replace(RUNS[language], "")
    .trim()
    .replace(/[,，]$/u, "");
  if (!WORD.test(ended) || CLOSED.test(ended)) return ended;
  return ended + (language === "zh" ? "。" : ".");
}

/** Reads every sentence by itself as the official front end reads a text. */
export class OfficialReader implements Reading {
  constructor(private readonly optionsOf: (text: string) => Promise<NormalizeOptions>) {}

  async read({ text, continues }: Sentence): Promise<Spoken[]> {
    const language = HAN.test(text) ? "zh" : "en";
    const segments = normalize(text, { ...(await this.optionsOf(text)), split: true });
    return segments.map((segment) => ({ text: segment.trimStart(), language, continues }));
  }

  async end(): Promise<Spoken[]> {
    return [];
  }

  warnings(): string[] {
    return [];
  }
}
