/**
 * Where sentences end: one rule, for whole texts and for such that arrive bit by bit. A mark ends a sentence unless it stands in a
 * number, after an abbreviation or before a lower-case letter; a line's end does always.
 */
import { isStarter, stopAfter } from "./abbreviations.js";

/** A stretch of written text that is read by itself. */
export interface Sentence {
  /** Without blanks around it. */
  readonly text: string;
  /** It begins a line, where headings, bullets and numbers of lists stand. */
  readonly startsLine: boolean;
  /** It goes on with the sentence before, which had to be cut since no end came. */
  readonly continues: boolean;
}

/** Characters after which a sentence is cut though its end has not come; nobody waits longer for text that arrives. */
export const MOST_CHARACTERS = 600;

/** What may stand between a mark and the blank behind it: quotes, brackets, Markdown's emphasis. */
const CLOSING = "\"'”’」』»）)\\]】》*_~`";
const OPENING = "\"'“‘「『«（(\\[【《*_~`¿¡";
const WIDE = "。？！｡";
/** Ends of sentences in scripts that have their own, and the ellipsis. */
const NARROW = ".?!…।؟۔";

const WIDE_MARK = new RegExp(`[${WIDE}]`, "u");
const MARKS = new RegExp(`[${NARROW}${WIDE}]+`, "gu");
const AFTER_MARKS = new RegExp(`[${CLOSING}]*`, "uy");
const BLANKS = /[^\S\r\n]*/uy;
const OPENERS = new RegExp(`[${OPENING}]*`, "uy");
const NEXT_WORD = /[\p{L}\p{N}]+/uy;
const LINE_END = /[\r\n\u2028\u2029]/u;
const EAST_ASIAN = /[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]/u;
/** "1." and "a." of a list. */
const ORDINAL = /^[\s>*•·-]*(?:\d{1,3}|[A-Za-z])$/u;

/** Cuts a text into sentences as it comes. How it was cut on its way here changes nothing. */
export class SentenceCutter {
  private held = "";
  private startsLine = true;
  private continues = false;

  /** Sentences that end in what has come so far. */
  push(chunk: string): Sentence[] {
    this.held += chunk;
    return this.take(false);
  }

  /** The rest, when nothing more comes. */
  end(): Sentence[] {
    return this.take(true);
  }

  private take(over: boolean): Sentence[] {
    const found: Sentence[] = [];
    for (;;) {
      this.skipBlanks();
      const cut = nextCut(
        this.held.slice(0, MOST_CHARACTERS + 1),
        this.startsLine,
        over && this.held.length <= MOST_CHARACTERS,
      );
      if (cut === undefined) return found;
      const text = this.held.slice(0, cut.at).trimEnd();
      this.held = this.held.slice(cut.at);
      found.push({ text, startsLine: this.startsLine, continues: this.continues });
      this.startsLine = false;
      this.continues = cut.forced;
    }
  }

  private skipBlanks(): void {
    const blank = /^\s*/u.exec(this.held)?.[0] ?? "";
    this.startsLine ||= LINE_END.test(blank);
    this.held = this.held.slice(blank.length);
  }
}

/** All sentences of a text. */
export function sentencesOf(text: string): Sentence[] {
  const cutter = new SentenceCutter();
  return [...cutter.push(text), ...cutter.end()];
}

export interface Cut {
  readonly at: number;
  /** No end was found; the text had to be cut somewhere. */
  readonly forced: boolean;
}

/**
 * Where the first sentence of a text ends; undefined while that depends on what has not come.
 * @param text begins with no blank; at most one character more than a sentence may have
 * @param over nothing comes after it
 */
export function nextCut(text: string, startsLine: boolean, over: boolean): Cut | undefined {
  if (text === "") return undefined;
  const line = text.search(LINE_END);
  const lineEnd = line < 0 ? text.length : line;
  // A line's end behind the marks ends the sentence with them, so only what stands before it matters.
  const whole = over || line >= 0;
  for (const { 0: marks, index } of text.slice(0, lineEnd).matchAll(MARKS)) {
    const end = endOf(text.slice(0, lineEnd), index, marks, startsLine, whole);
    if (end === "unknown") return text.length > MOST_CHARACTERS ? forcedCut(text) : undefined;
    if (end !== undefined) return { at: end, forced: false };
  }
  if (whole && lineEnd <= MOST_CHARACTERS) return { at: lineEnd, forced: false };
  return text.length > MOST_CHARACTERS ? forcedCut(text) : undefined;
}

/** Where the sentence ends that these marks end, if they do. */
function endOf(
  line: string,
  index: number,
  marks: string,
  startsLine: boolean,
  whole: boolean,
): number | "unknown" | undefined {
  const end = skip(AFTER_MARKS, line, index + marks.length);
  if (end === line.length) return whole ? end : "unknown";
  if (WIDE_MARK.test(marks)) return end;
  const next = skip(BLANKS, line, end);
  if (next === end) {
    // Chinese is written with narrow marks too, and without blanks.
    const between =
      EAST_ASIAN.test(line.charAt(end)) && (!marks.startsWith(".") || EAST_ASIAN.test(line.charAt(index - 1)));
    return between ? end : undefined;
  }
  const word = skip(OPENERS, line, next);
  if (word === line.length) return whole ? end : "unknown";
  if (/\p{Ll}/u.test(String.fromCodePoint(line.codePointAt(word) ?? 0))) return undefined;
  if (marks !== ".") return end;
  const before = line.slice(0, index);
  if (startsLine && ORDINAL.test(before)) return undefined;
  const stop = stopAfter(before);
  if (stop === "ends") return end;
  if (stop === "never") return undefined;
  if (/\p{N}/u.test(line.charAt(word))) return undefined;
  if (stop === "unless a number follows") return end;
  const wordEnd = skip(NEXT_WORD, line, word);
  if (wordEnd === line.length && !whole) return "unknown";
  return isStarter(line.slice(word, wordEnd)) ? end : undefined;
}

/** Behind what a sticky pattern matches at a place. */
function skip(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from;
  return from + (pattern.exec(text)?.[0].length ?? 0);
}

/** A sentence that does not end is cut after a comma, before a blank, or where it is full. */
function forcedCut(text: string): Cut {
  const most = text.slice(0, MOST_CHARACTERS);
  const comma = Math.max(...[...most.matchAll(/[,;:](?=\s)|[，；：、]/gu)].map(({ index }) => index + 1), 0);
  const blank = most.search(/\s\S*$/u);
  // Half a character is none.
  const full = /[\ud800-\udbff]$/.test(most) ? most.length - 1 : most.length;
  return { at: comma > MOST_CHARACTERS / 2 ? comma : blank > 0 ? blank : full, forced: true };
}
