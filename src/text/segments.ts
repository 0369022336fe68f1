/**
 * Spoken sentences to segments, each of which the model speaks in one piece: short ones together, as the official splitter puts them,
 * and what is longer than the model speaks well cut at commas, else at blanks.
 */
import { stopAfter } from "./abbreviations.js";
import type { Spoken } from "./read.js";
import { ENOUGH, type Language, lengthIn, NOTHING, REST, SEGMENT_LENGTH } from "./split.js";
import type { Tokenizer } from "./tokenizer.js";

export interface SegmentOptions {
  readonly tokenizer: Tokenizer;
  /** Units of a segment, ids or Chinese characters (`Config.segmentLength`). Default: upstream's 80. */
  readonly segmentLength?: number | undefined;
  /** Most units that the model speaks well in one piece (`Config.segmentLimit`). Default: upstream's 80. */
  readonly segmentLimit?: number | undefined;
}

/** Where the official splitter ends a segment inside of a sentence. */
const CLAUSES: Readonly<Record<Language, RegExp>> = { en: /(?<=[;:]["”]?)(?=\s)/u, zh: /(?<=[；：、;][”"]?)(?![”"])/u };

/** Places to cut at, the best first. */
const CUTS: readonly RegExp[] = [
  /(?<=[,;:.?!…—–][”"’)]?)\s+|(?<=[，；：、。])/gu,
  /(?<!hundred|thousand|million|billion)\s+(?=(?:and|but|or|nor|so|yet|because|while|when|where|which|who|until|since|although|though|if)\s)|(?<=\p{Script=Han})\s+/gu,
  /\s+/gu,
];
/** Where only blanks are left to cut at, a sentence may be so many times as long: a cut there is heard. */
const UNTIL_BLANKS = 1.5;
/** A cut leaves at least this share of a sentence on either side, if it can. */
const LEAST_SHARE = 0.2;

/** How texts of each language are measured; made once, for it looks at all tags of the tokenizer. */
type Measures = Readonly<Record<Language, ReturnType<typeof lengthIn>>>;

function measuresOf({ tokenizer }: SegmentOptions): Measures {
  return { en: lengthIn("en", tokenizer), zh: lengthIn("zh", tokenizer) };
}

/** Cuts sentences where a segment may end. */
export class SentenceSplitter {
  /** Sentences that are longer than the model speaks well, and have no place to cut at. */
  readonly uncut: string[] = [];
  private readonly limit: number;
  private readonly measures: Measures;

  constructor(private readonly options: SegmentOptions) {
    this.limit = options.segmentLimit ?? SEGMENT_LENGTH;
    this.measures = measuresOf(options);
  }

  /** Stretches of a sentence, which together are its text. */
  split({ text, language }: Spoken): string[] {
    return text.split(CLAUSES[language]).flatMap((clause) => this.cut(clause, language));
  }

  private cut(text: string, language: Language): string[] {
    const length = this.lengthOf(text, language);
    if (length <= this.limit) return [text];
    const isTooLong = length > UNTIL_BLANKS * this.limit;
    const at = middleCut(text, isTooLong);
    if (at === undefined) {
      if (isTooLong) this.uncut.push(text);
      return [text];
    }
    return [text.slice(0, at), text.slice(at)].flatMap((part) => this.cut(part, language));
  }

  /** A model that was trained on short sentences loses its way in lists: there a pause is as much as a word. */
  private lengthOf(text: string, language: Language): number {
    const pauses = this.options.segmentLimit === undefined ? 0 : (text.match(/[,，]/g)?.length ?? 0);
    return this.measures[language](NOTHING, text).total + pauses;
  }
}

/**
 * The place to cut at that is nearest to the middle, of the best kind there is.
 * @param atAnyCost also at blanks, and near the edges
 */
function middleCut(text: string, atAnyCost: boolean): number | undefined {
  const least = LEAST_SHARE * text.length;
  const places = CUTS.map((pattern) =>
    [...text.matchAll(pattern)]
      .map(({ index }) => index)
      .filter((at) => at > 0 && at < text.length && !isInside(text, at)),
  );
  const wellPlaced = places.map((found) => found.filter((at) => at >= least && at <= text.length - least));
  const kinds = atAnyCost ? [...wellPlaced, ...places] : wellPlaced.slice(0, -1);
  const best = kinds.find(({ length }) => length > 0);
  return best?.reduce((a, b) => (Math.abs(b - text.length / 2) < Math.abs(a - text.length / 2) ? b : a));
}

/** Behind the stop of an abbreviation. */
function isInside(text: string, at: number): boolean {
  return text.charAt(at - 1) === "." && stopAfter(text.slice(0, at - 1)) !== "ends";
}

/** Joins what may be cut to segments: `splitParagraph` of the official front end. */
export class SegmentJoiner {
  private segments: string[] = [];
  private current = "";
  private language: Language = "en";
  private length = NOTHING;
  private readonly most: number;
  private readonly limit: number;
  private readonly measures: Measures;

  constructor(options: SegmentOptions) {
    this.measures = measuresOf(options);
    this.most = options.segmentLength ?? SEGMENT_LENGTH;
    this.limit = options.segmentLimit ?? SEGMENT_LENGTH;
  }

  /** @param continues the part before, of the same sentence: together they are no longer than the model speaks well */
  add(part: string, language: Language, continues = false): void {
    const longer = this.extended(part, language);
    const full = longer.total > this.most && this.length.total > ENOUGH * this.most;
    if (full || (continues && longer.total > this.limit && this.current !== "")) {
      this.close();
      this.add(part, language);
      return;
    }
    this.current += part;
    this.length = longer;
    if (this.current === part || language === "zh") this.language = language;
  }

  /** All segments. */
  end(): string[] {
    if (this.current !== "") {
      const rest = this.length.total < REST * this.most && this.segments.length > 0 ? (this.segments.pop() ?? "") : "";
      this.segments.push(rest + this.current);
    }
    return this.segments.map(ended);
  }

  /** A text with a Chinese sentence is measured as Chinese is. */
  private extended(part: string, language: Language): typeof NOTHING {
    if (this.current === "") return this.measures[language](NOTHING, part);
    if (language === "zh" && this.language === "en") return this.measures.zh(NOTHING, this.current + part);
    return this.measures[this.language](this.length, part);
  }

  private close(): void {
    this.segments.push(this.current);
    this.current = "";
    this.length = NOTHING;
  }
}

/** Nothing is spoken that ends in the middle: a stop for the comma that it was cut at. */
export function ended(segment: string): string {
  const text = segment.trimEnd();
  if (/[,—–-]$/u.test(text)) return text.replace(/\s*[,—–-]+$/u, ".");
  if (/，$/u.test(text)) return text.replace(/，+$/u, "。");
  return /[\p{L}\p{N}]$/u.test(text) ? `${text}${/\p{Script=Han}$/u.test(text) ? "。" : "."}` : text;
}
