/**
 * Bytes of a text file or of stdin to text: UTF-8, or UTF-16 with the byte-order mark that Notepad and PowerShell write. Other encodings
 * cannot be told from each other for certain, so they are refused with what they look like.
 */
import { FileError } from "../errors.js";

/** Bytes that hold every byte-order mark. */
const MARK_BYTES = 4;

/** Bytes that a guess is made of; whole characters of every encoding. */
const GUESS_BYTES = 1024;

const SAVE_IT = "save it as UTF-8";

type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "utf-32";

/** By the mark at the start; without one UTF-8. */
function encodingOf([a, b, c, d]: Uint8Array): Encoding {
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? "utf-32" : "utf-16le";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  return a === 0 && b === 0 && c === 0xfe && d === 0xff ? "utf-32" : "utf-8";
}

/** @param name for messages. @throws FileError for text in another encoding */
export function decodeText(bytes: Uint8Array, name: string): string {
  const decoder = new TextStreamDecoder(name);
  return decoder.decode(bytes) + decoder.end();
}

/** Text that comes in pieces, which may cut a character, or the byte-order mark. */
export class TextStreamDecoder {
  private decoder: InstanceType<typeof TextDecoder> | undefined;
  private encoding: Encoding = "utf-8";
  /** The start, as long as it may be a part of a byte-order mark. */
  private held: Uint8Array = new Uint8Array();

  constructor(private readonly name: string) {}

  /** The text of a piece, as far as its characters are whole. @throws FileError */
  decode(piece: Uint8Array): string {
    if (this.decoder) return this.next(piece);
    const start = new Uint8Array(this.held.length + piece.length);
    start.set(this.held);
    start.set(piece, this.held.length);
    if (start.length < MARK_BYTES && (start.length === 0 || [0, 0xfe, 0xff].includes(start[0] as number))) {
      this.held = start;
      return "";
    }
    return this.begin(start);
  }

  /** What is left when nothing more comes. @throws FileError for a character that is cut */
  end(): string {
    return this.decoder ? this.next() : this.begin(this.held) + this.next();
  }

  private begin(start: Uint8Array): string {
    this.encoding = encodingOf(start);
    const guess =
      this.encoding === "utf-32" ? "UTF-32" : this.encoding === "utf-8" ? wideWithoutMark(start) : undefined;
    if (guess) throw new FileError(`${this.name}: not UTF-8 text; it looks like ${guess}: ${SAVE_IT}`);
    this.decoder = new TextDecoder(this.encoding, { fatal: true });
    return this.next(start);
  }

  private next(piece?: Uint8Array): string {
    try {
      return this.decoder?.decode(piece, { stream: piece !== undefined }) ?? "";
    } catch {
      if (this.encoding !== "utf-8") throw new FileError(`${this.name}: damaged ${this.encoding.toUpperCase()} text`);
      const guess = piece ? `; it looks like ${otherEncoding(piece)}: ${SAVE_IT}` : "; its last character is cut";
      throw new FileError(`${this.name}: not UTF-8 text${guess}`);
    }
  }
}

/** UTF-16 or UTF-32 of Latin letters, of which every other byte or more is zero; undefined for other text. */
function wideWithoutMark(start: Uint8Array): string | undefined {
  const bytes = start.subarray(0, GUESS_BYTES);
  const zeros = [0, 1, 2, 3].map((place) => bytes.filter((byte, at) => at % 4 === place && byte === 0).length);
  const wide = zeros.filter((count) => count > bytes.length / 8).length;
  if (wide === 0) return undefined;
  return `${wide === 3 ? "UTF-32" : "UTF-16"} without its byte-order mark`;
}

/** What text is that is no UTF-8. */
function otherEncoding(piece: Uint8Array): string {
  const bytes = piece.subarray(0, GUESS_BYTES);
  const ascii = bytes.filter((byte) => byte >= 0x20 && byte < 0x7f).length;
  const wide = ascii < 0.75 * bytes.length && ["utf-16le", "utf-16be"].some((encoding) => isEastAsian(bytes, encoding));
  return wide ? "UTF-16 without its byte-order mark" : "an older encoding, such as GBK or Windows-1252";
}

/** Whether bytes would be Chinese or Japanese, with its signs. */
function isEastAsian(bytes: Uint8Array, encoding: string): boolean {
  const letters = Array.from(new TextDecoder(encoding).decode(bytes, { stream: true }));
  const usual = letters.filter((letter) => /[\s!-~\u2010-\u2026\u3000-\u30ff\u4e00-\u9fff\uff00-\uff5e]/u.test(letter));
  return letters.length > 0 && usual.length >= 0.95 * letters.length;
}
