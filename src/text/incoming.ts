/**
 * Text that arrives bit by bit, cut where the bits before a cut can be read without those behind it. How it was cut on its way here
 * changes nothing.
 */
import { CancelledError, checkCancelled, InputError } from "../errors.js";
import type { Reading, Spoken } from "./read.js";
import { ended, type SegmentOptions, SentenceSplitter } from "./segments.js";
import { MOST_CHARACTERS, nextCut, SentenceCutter } from "./sentences.js";
import { ENOUGH, SEGMENT_LENGTH } from "./split.js";
import { blankBetween, longSentences, nothingToSay } from "./text.js";
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

export interface IncomingOptions extends SegmentOptions {
  /**
   * Reads sentence after sentence. "words": nothing is rewritten, and words are handed on one by one, as upstream does with what it is
   * given.
   */
  readonly reading: Reading | "words";
  /** Characters of the whole text, at most; what comes after them is left unread. */
  readonly maxCharacters: number;
  /** Called when more came than that. What was spoken by then is too dear to be thrown away with an error. */
  readonly onTooMuch?: () => void;
  /** Told with the last segment what of the text cannot be said, or not well. */
  readonly warn?: (warning: string) => void;
  readonly signal?: AbortSignal;
}

/** A stretch of text. */
interface Piece {
  readonly text: string;
  readonly ids: readonly number[];
  /** A segment ends with it. */
  readonly closes: boolean;
}

/**
 * Ids after which a segment ends with its word, for text that has no sentence's end. Of the 6144 positions of a session half a minute of
 * a recording takes about 1000; so many ids, and the 20 tokens of speech that each may have, fit into the rest.
 */
const LONG = 240;

/** Characters of what was handed on that decide whether a mark behind them ends a sentence. */
const LEAD = 40;

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
  const chunks = chunksOf(text, options, clock);
  const { reading } = options;
  const pieces = reading === "words" ? wordPieces(chunks, options) : sentencePieces(chunks, reading, options);
  const next = async (): Promise<Piece | undefined> => (await pieces.next()).value ?? undefined;
  try {
    for (let first = await next(); first; first = await next()) yield new Growing(first, next, clock);
  } finally {
    await pieces.return();
  }
}

class Growing implements IncomingSegment {
  text = "";
  textTokens = 0;
  readonly ids: AsyncIterable<number>;

  constructor(
    first: Piece,
    next: () => Promise<Piece | undefined>,
    private readonly clock: Clock,
  ) {
    this.ids = this.read(first, next);
  }

  get waitedMs(): number {
    return this.clock.waitedMs;
  }

  private async *read(first: Piece, next: () => Promise<Piece | undefined>): AsyncGenerator<number, void> {
    for (let piece: Piece | undefined = first; piece; piece = await next()) {
      this.text += piece.text;
      this.textTokens += piece.ids.length;
      yield* piece.ids;
      if (piece.closes) return;
    }
  }
}

interface Clock {
  waitedMs: number;
}

/** Sentence by sentence, each read as in a whole text. */
async function* sentencePieces(
  chunks: AsyncIterable<string>,
  reading: Reading,
  options: IncomingOptions,
): AsyncGenerator<Piece, void> {
  const { tokenizer, segmentLength = SEGMENT_LENGTH, segmentLimit = SEGMENT_LENGTH } = options;
  const cutter = new SentenceCutter();
  const splitter = new SentenceSplitter(options);
  let before: Spoken | undefined;
  /** Ids of the segment so far. */
  let total = 0;
  const piecesOf = function* (all: readonly Spoken[]): Generator<Piece> {
    for (const spoken of all) {
      const blank = blankBetween(before, spoken);
      const parts = splitter.split(spoken).map((part, index) => (index === 0 ? blank + part : part));
      const ids = parts.map((part) => tokenizer.encode(part));
      for (const [index, text] of parts.entries()) {
        total += ids[index]?.length ?? 0;
        // What goes on with the same sentence must fit; another sentence is not known yet.
        const goesOn = ids[index + 1]?.length ?? 0;
        const closes = total > ENOUGH * segmentLength || (goesOn > 0 && total + goesOn > segmentLimit);
        const last = closes ? ended(text) : text;
        yield { text: last, ids: last === text ? (ids[index] ?? []) : tokenizer.encode(last), closes };
        if (closes) total = 0;
      }
      before = spoken;
    }
  };
  for await (const chunk of chunks) {
    for (const sentence of cutter.push(chunk)) yield* piecesOf(await reading.read(sentence));
  }
  for (const sentence of cutter.end()) yield* piecesOf(await reading.read(sentence));
  yield* piecesOf(await reading.end());
  const warnings = [...reading.warnings(), ...longSentences(splitter.uncut)];
  if (before === undefined && warnings[0] !== undefined) throw new InputError(nothingToSay("it", warnings[0]));
  for (const warning of warnings) options.warn?.(warning);
}

/** Words as soon as they are whole. */
async function* wordPieces(
  chunks: AsyncIterable<string>,
  { tokenizer, segmentLength = SEGMENT_LENGTH }: IncomingOptions,
): AsyncGenerator<Piece, void> {
  const sentenceEnough = ENOUGH * segmentLength;
  let held = "";
  let lead = "";
  let begun = false;
  let total = 0;
  /** What stands for blanks and line ends at this place; undefined inside of a line. */
  let lineStart: string | undefined = "";
  /** @param enough a segment that has more ids ends here */
  const pieceOf = function* (text: string, enough: number): Generator<Piece> {
    // What stands before the first word would only be noise.
    begun ||= WORD.test(text);
    const ids = begun ? tokenizer.encode(text) : [];
    if (ids.length === 0) return;
    total += ids.length;
    const closes = total > enough;
    if (closes) total = 0;
    yield { text, ids, closes };
  };
  for await (const chunk of chunks) {
    held += chunk;
    for (;;) {
      if (lineStart !== undefined) {
        held = held.replace(/^\s+/, "");
        if (held === "") break;
        held = lineStart + held;
        lineStart = undefined;
      }
      const cut = nextWord(held, lead);
      if (!cut) break;
      const text = held.slice(0, cut.at).trimEnd();
      held = held.slice(cut.at);
      if (/^[\r\n]/.test(held)) lineStart = " ";
      lead = cut.ends ? "" : (lead + text).slice(-LEAD);
      // A word with a mark behind it is not the last: the sentence's end is about to come.
      yield* pieceOf(text, cut.ends ? sentenceEnough : MARK.test(held) ? Number.POSITIVE_INFINITY : LONG);
    }
  }
  yield* pieceOf(held.trimEnd(), sentenceEnough);
}

/** Where the next word ends, or the sentence, if that comes first. @param lead what came before in the sentence */
function nextWord(held: string, lead: string): { readonly at: number; readonly ends: boolean } | undefined {
  // What is held may be long, and an end behind these would be too far.
  const start = held.slice(0, MOST_CHARACTERS + 1 - lead.length);
  const context = (lead + start).trimStart();
  const shift = context.length - start.length;
  const sentence = nextCut(context, false, false);
  const end = sentence && sentence.at > shift ? sentence.at - shift : Number.POSITIVE_INFINITY;
  const word = WORD_END.exec(start)?.index ?? Number.POSITIVE_INFINITY;
  if (word < end) return { at: word, ends: false };
  return sentence && Number.isFinite(end) ? { at: end, ends: !sentence.forced } : undefined;
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
