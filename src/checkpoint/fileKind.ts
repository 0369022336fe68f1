/**
 * What a file is, told by its first bytes and never by its name: people rename files, and a download that went wrong leaves something
 * else under the right name. Every reader that finds other bytes than its own says with this what they are, and what to do.
 */
import { FileError } from "../errors.js";
import { printable } from "./printable.js";
import type { RandomAccessFile } from "./source.js";

export interface FileKind {
  /** With an article, as in "a Git LFS pointer". */
  readonly what: string;
  /** "page": something that stands in for the file, and is never what a reader asked for. */
  readonly family: "page" | "text" | "archive" | "tensors" | "sound";
  /** What to do, where no reader can do better. */
  readonly wayOut?: string;
}

/** Bytes that are enough to tell. */
export const HEAD = 512;

const AGAIN = "download the file again";
const UNPACK = "unpack it";

/** Length of a safetensors header, by the format's own limit. */
const MAX_HEADER = 100_000_000;

const magic = (at: number, bytes: string, what: string, family: FileKind["family"], wayOut?: string) =>
  [at, bytes, { what, family, ...(wayOut && { wayOut }) }] as const;

const RESAVE = "load it in PyTorch and save it again";

const MAGIC: readonly (readonly [at: number, bytes: string, kind: FileKind])[] = [
  magic(
    0,
    "version https://git-lfs.github.com/spec/",
    "a Git LFS pointer, not the file itself",
    "page",
    "run git lfs pull in its folder",
  ),
  magic(
    0,
    "version https://hawser.github.com/spec/",
    "a Git LFS pointer, not the file itself",
    "page",
    "run git lfs pull in its folder",
  ),
  magic(0, "/annex/objects/", "a git-annex pointer, not the file itself", "page", "run git annex get"),
  magic(0, "PK\x03\x04", "a ZIP archive", "archive", UNPACK),
  magic(0, "PK\x05\x06", "an empty ZIP archive", "archive", AGAIN),
  magic(0, "\x1f\x8b", "a gzip file", "archive", UNPACK),
  magic(0, "BZh", "a bzip2 file", "archive", UNPACK),
  magic(0, "\xfd7zXZ", "an xz file", "archive", UNPACK),
  magic(0, "\x28\xb5\x2f\xfd", "a Zstandard file", "archive", UNPACK),
  magic(0, "7z\xbc\xaf", "a 7z archive", "archive", UNPACK),
  magic(0, "Rar!", "a RAR archive", "archive", UNPACK),
  magic(257, "ustar", "a tar archive", "archive", UNPACK),
  // The number that torch.save wrote first until 1.6, as a pickle.
  magic(
    0,
    "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
    "a file of torch.save of before PyTorch 1.6",
    "tensors",
    RESAVE,
  ),
  magic(0, "GGUF", "a GGUF file", "tensors", "use the checkpoint it was made from"),
  magic(0, "\x93NUMPY", "a NumPy file", "tensors", "save its arrays as tensors with torch.save"),
  magic(0, "\x89HDF", "an HDF5 file", "tensors", "save its weights with torch.save"),
  magic(0, "fLaC", "a FLAC file", "sound"),
  magic(0, "OggS", "an Ogg file", "sound"),
  magic(0, "ID3", "an MP3 file", "sound"),
  magic(4, "ftyp", "an MP4 file", "sound"),
  magic(0, "FORM", "an AIFF file", "sound"),
  magic(0, "caff", "a CAF file", "sound"),
  magic(0, "\x1aE\xdf\xa3", "a Matroska or WebM file", "sound"),
];

/** @param head the file, or its first `HEAD` bytes. @returns undefined for bytes of no kind that is known here */
export function kindOf(head: Uint8Array): FileKind | undefined {
  const bytes = head.subarray(0, HEAD);
  if (bytes.length === 0) return { what: "an empty file", family: "page", wayOut: AGAIN };
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const known = MAGIC.find(([at, start]) => letters.startsWith(start, at));
  if (known) return known[2];
  if (bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5) {
    return { what: "a bare pickle", family: "tensors", wayOut: RESAVE };
  }
  if (isSafetensors(bytes)) return { what: "a safetensors file", family: "tensors" };
  if (bytes.length === HEAD && bytes.every((byte) => byte === 0)) {
    return { what: "nothing but zeros, as a download that broke off leaves", family: "page", wayOut: AGAIN };
  }
  // Before the text that has such bytes too.
  const wide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  if (wide) return { what: "UTF-16 text", family: "text", wayOut: AGAIN };
  // An MP3 without tags starts with the eleven set bits of its first frame.
  if (bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0) return { what: "an MP3 or AAC file", family: "sound" };
  return textKind(bytes);
}

function isSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 9 || bytes[8] !== 0x7b) return false;
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true) <= MAX_HEADER;
}

/** A page, a message of a server, or other text. */
function textKind(bytes: Uint8Array): FileKind | undefined {
  let text: string;
  try {
    // The last letter may be cut.
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true }).trimStart();
  } catch {
    return undefined;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what no text has
  if (/[\x00-\x08\x0e-\x1f]/.test(text)) return undefined;
  if (/^(<!doctype html|<html)/i.test(text)) {
    return { what: "an HTML page, not the file itself", family: "page", wayOut: `${AGAIN}, by its direct address` };
  }
  if (/^<(\?xml|error)/i.test(text)) return { what: "XML, as servers send errors", family: "page", wayOut: AGAIN };
  const start = JSON.stringify(printable(text.slice(0, 40).split("\n")[0] ?? ""));
  return { what: `text that begins ${start}`, family: "text", wayOut: AGAIN };
}

/** The kind of a file, from one short read. */
export async function readKind(file: RandomAccessFile): Promise<FileKind | undefined> {
  return kindOf(await file.read(0, Math.min(HEAD, file.size)));
}

/** "FILE: a Git LFS pointer, not the file itself; run …", for a reader of `expected` that got a file of another kind. */
export function wrongKind(name: string, kind: FileKind, expected: string): FileError {
  const instead = kind.family === "page" ? "" : `, not ${expected}`;
  return new FileError(`${name}: ${kind.what}${instead}; ${kind.wayOut ?? `name ${expected}`}`);
}
