/**
 * Text that arrives bit by bit, cut where the bits before a cut can be read without those behind it. How it was cut on its way here
 * changes nothing.
 */
import { CancelledError, checkCancelled, InputError } from "../errors.js";
import { HAN, normalize, type TextNormalizer } from "./normalize.js";
import { ENOUGH, SEGMENT_LENGTH } from "./split.js";
import type { Tokenizer } from "./tokenizer.js";
import { LETTERS_AFTER_UNICODE_16 } from "./unicode.js";

/** A segment whose ids come as its text does. */
export interface IncomingSegment {
  /** Its text and the number of its ids, so far; whole when `ids` has ended. */
  readonly text: string;
  readonly textTokens: number;
  /** Milliseconds that were spent waiting for text, so far. */
  readonly waitedMs: number;
  readonly ids: AsyncIterable<number>;
}

export interface IncomingOptions {
  readonly tokenizer: Tokenizer;
  /**
   * What reads numbers, dates and units of a sentence. With "none" nothing is rewritten and words are handed on one by one, as
   * upstream does with what it is given; else whole sentences are.
   */
  readonly normalizer: "none" | ((sentence: string) => Promise<"none" | TextNormalizer>);
  /** Characters of the whole text, at most; what comes after them is left unread. */
  readonly maxCharacters: number;
  /** Called when more came than that. What was spoken by then is too dear to be thrown away with an error. */
  readonly onTooMuch?: () => void;
  /** Ids of a segment (`Config.segmentLength`): it ends with the sentence that has three quarters of it. Default: upstream's 80. */
  readonly segmentLength?: number | undefined;
  readonly signal?: AbortSignal;
}

/** A stretch of text. */
interface Piece {
  readonly text: string;
  /** A segment that has more ids than this ends with it. */
  readonly enough: number;
}

/**
 * Ids after which a segment ends with its word, for text that has no sentence's end. Of the 6144 positions of a session half a minute of
 * a recording takes about 1000; so many ids, and the 20 tokens of speech that each may have, fit into the rest.
 */
const LONG = 240;

/** Characters after which a sentence is cut though its end has not come. */
const MOST = 300;

const CLOSING = "\"'”’」』）)\\]】》";

/**
 * Ends of sentences. An ASCII mark needs a blank behind it ("3.5", "a.m."), a Chinese one anything but more of its kind; the end of a
 * line always counts. A run of marks is tried from its first one only: from each, a long run would take its length squared.
 */
const SENTENCE_END = new RegExp(
  `(?<![.?!。？！])(?:[.?!。？！]+[${CLOSING}]*(?=\\s)|[.?!]*[。？！][.?!。？！]*[${CLOSING}]*(?=[^.?!。？！${CLOSING}]))|[\\r\\n]`,
  "u",
);

/**
 * Ends of sentences of other scripts. Whoever reads a whole text does not cut at them, so they count only where a sentence must be cut
 * somewhere.
 */
const OTHER_END = new RegExp(`[।؟…]+[${CLOSING}]*(?=\\s)`, "gu");

/** Where the tokenizer always cuts: behind a letter or digit, before a blank or a mark that no contraction and no tag begins with. */
const WORD_END = new RegExp(`(?<=(?![${LETTERS_AFTER_UNICODE_16}])[\\p{L}\\p{N}])(?=[ ,.;:?!，。、；：？！])`, "u");

const MARK = /^[.?!。？！]/;

const WORD = /[\p{L}\p{N}]/u;

/**
 * Yields segments of one or more sentences. Each must be read to its end before the next is asked for.
 * @throws InputError for something that is no text, CancelledError when the signal fires, even while no text comes
 */
export async function* incomingSegments(
  text: AsyncIterable<string>,
  options: IncomingOptions,
): AsyncGenerator<IncomingSegment, void> {
  const clock: Clock = { waitedMs: 0 };
  const readings = readPieces(cutPieces(chunksOf(text, options, clock), options), options);
  const next = async (): Promise<Reading | undefined> => (await readings.next()).value ?? undefined;
  try {
    for (let first = await next(); first; first = await next()) yield new Growing(first, next, clock);
  } finally {
    await readings.return();
  }
}

class Growing implements IncomingSegment {
  text = "";
  textTokens = 0;
  readonly ids: AsyncIterable<number>;

  constructor(
    first: Reading,
    next: () => Promise<Reading | undefined>,
    private readonly clock: Clock,
  ) {
    this.ids = this.read(first, next);
  }

  get waitedMs(): number {
    return this.clock.waitedMs;
  }

  private async *read(first: Reading, next: () => Promise<Reading | undefined>): AsyncGenerator<number, void> {
    for (let reading: Reading | undefined = first; reading; reading = await next()) {
      this.text += reading.text;
      this.textTokens += reading.ids.length;
      yield* reading.ids;
      if (this.textTokens > reading.enough) return;
    }
  }
}

interface Clock {
  waitedMs: number;
}

interface Reading extends Piece {
  readonly ids: readonly number[];
}

/** What of the pieces is spoken, as ids. */
async function* readPieces(
  pieces: AsyncIterable<Piece>,
  { tokenizer, normalizer, segmentLength }: IncomingOptions,
): AsyncGenerator<Reading, void> {
  let begun = false;
  for await (const { text, enough } of pieces) {
    // What stands before the first word would only be noise.
    begun ||= WORD.test(text);
    if (!begun) continue;
    const spoken =
      normalizer === "none"
        ? [text]
        : normalize(text, { tokenizer, normalizer: await normalizer(text), split: true, segmentLength });
    // The normaliser strips what it is given; between sentences of one text stands a blank, but for Chinese ones.
    const blank = /^\s/.test(text) && !/^\s/.test(spoken[0] ?? "") && !HAN.test(text) ? " " : "";
    for (const [index, part] of spoken.entries()) {
      const whole = index === 0 ? blank + part : part;
      const ids = tokenizer.encode(whole);
      if (ids.length > 0) yield { text: whole, ids, enough };
    }
  }
}

/** Sentences, and without a normaliser their words as soon as they are whole. */
async function* cutPieces(
  chunks: AsyncIterable<string>,
  { normalizer, segmentLength = SEGMENT_LENGTH }: IncomingOptions,
): AsyncGenerator<Piece, void> {
  const sentenceEnough = ENOUGH * segmentLength;
  let held = "";
  /** What stands for blanks and line ends at this place; undefined inside of a line. */
  let lineStart: string | undefined = "";
  for await (const chunk of chunks) {
    held += chunk;
    for (;;) {
      if (lineStart !== undefined) {
        held = held.replace(/^\s+/, "");
        if (held === "") break;
        held = lineStart + held;
        lineStart = undefined;
      }
      const cut = nextCut(held, normalizer === "none");
      if (!cut) break;
      const text = held.slice(0, cut.at).trimEnd();
      held = held.slice(cut.at);
      if (/^[\r\n]/.test(held)) lineStart = " ";
      // A word with a mark behind it is not the last: the sentence's end is about to come.
      const enough = cut.ends ? sentenceEnough : MARK.test(held) ? Number.POSITIVE_INFINITY : LONG;
      if (text !== "") yield { text, enough };
    }
  }
  const rest = held.trimEnd();
  if (rest !== "") yield { text: rest, enough: sentenceEnough };
}

interface Cut {
  readonly at: number;
  readonly ends: boolean;
}

/** Where the text is cut next. It depends on nothing behind the cut and one character, so that how the text came changes nothing. */
function nextCut(held: string, words: boolean): Cut | undefined {
  // What is held may be long, and an end behind these would be too far.
  const start = held.slice(0, MOST + 1);
  const end = sentenceEnd(start) ?? Number.POSITIVE_INFINITY;
  const word = (words ? WORD_END.exec(start)?.index : undefined) ?? Number.POSITIVE_INFINITY;
  if (word < end) return { at: word, ends: false };
  if (end <= MOST) return { at: end, ends: true };
  return held.length > MOST ? forcedCut(held.slice(0, MOST)) : undefined;
}

function sentenceEnd(text: string): number | undefined {
  const found = SENTENCE_END.exec(text);
  return found ? found.index + (/[\r\n]/.test(found[0]) ? 0 : found[0].length) : undefined;
}

function forcedCut(text: string): Cut {
  const other = [...text.matchAll(OTHER_END)].at(-1);
  if (other) return { at: other.index + other[0].length, ends: true };
  const blank = text.search(/\s\S*$/);
  // Half a character is none.
  const whole = /[\ud800-\udbff]$/.test(text) ? text.length - 1 : text.length;
  return { at: blank > 0 ? blank : whole, ends: false };
}

/** The text as it comes, in a race with the signal. */
async function* chunksOf(
  text: AsyncIterable<string>,
  { maxCharacters, onTooMuch, signal }: IncomingOptions,
  clock: Clock,
): AsyncGenerator<string, void> {
  const source = text[Symbol.asyncIterator]();
  let room = maxCharacters;
  try {
    for (;;) {
      const begun = performance.now();
      const { value, done } = await orCancelled(source.next(), signal);
      clock.waitedMs += performance.now() - begun;
      if (done) return;
      if (typeof value !== "string")
        throw new InputError(`text: a part of it is a ${typeof value}; a stream gives strings`);
      // Half a character is none.
      if (value.length > room) {
        if (room > 0) yield value.slice(0, room).replace(/[\ud800-\udbff]$/, "");
        return onTooMuch?.();
      }
      yield value;
      room -= value.length;
    }
  } finally {
    // A source that waits for its own text answers late or never.
    source.return?.()?.catch(() => undefined);
  }
}

async function orCancelled<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  // Its failure after a cancellation is nobody's.
  promise.catch(() => undefined);
  checkCancelled(signal, "speaking");
  if (!signal) return promise;
  let stop = (): void => undefined;
  const cancelled = new Promise<never>((_, reject) => {
    stop = () => reject(new CancelledError("speaking was cancelled"));
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, cancelled]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
