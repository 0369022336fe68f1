/**
 * Where bytes come from and go to, without naming Node or the browser. `src/platform/` holds the implementations.
 */
import { FileError } from "../errors.js";
import { kindOf, wrongKind } from "./fileKind.js";
import { printable } from "./printable.js";

/** One file, readable at any place. */
export interface RandomAccessFile {
  /** For messages: the path or address a person would recognise. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`. The result is the caller's to keep.
   * @throws FileError when the range leaves the file or the file ends early.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A folder to read. Paths are relative, separated by "/", and never leave the folder. */
export interface Folder {
  /** For messages. */
  readonly name: string;
  /** What may be wrong when nothing was found in it. */
  readonly hint?: string | undefined;
  has(path: string): Promise<boolean>;
  /** @throws FileError when there is no such file. */
  open(path: string): Promise<RandomAccessFile>;
  /** Names of the files right in it, in any order; absent where that cannot be known (an address on a server). */
  readonly list?: () => Promise<readonly string[]>;
}

/** A file being written from front to back. */
export interface OutputFile {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** A folder being written. Nothing is visible under its final name before `commit`. */
export interface OutputFolder {
  readonly name: string;
  create(path: string): Promise<OutputFile>;
  /** Gives the folder its final name. */
  commit(): Promise<void>;
  /** Removes everything written so far; harmless after `commit`. */
  discard(): Promise<void>;
}

/** SHA-256 over a stream (Web Crypto only digests whole buffers). */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Lower-case hexadecimal. */
  digest(): string;
}

/** Longest metadata file (yaml, json, tokenizer) that is read as a whole. */
const MAX_TEXT = 1 << 26;

/**
 * The path itself, when it stays inside the folder.
 * @throws FileError for an absolute path, "..", a backslash, a drive letter or a NUL.
 */
export function checkedPath(path: string, folder: string): string {
  const parts = path.split("/");
  const bad =
    parts.some((part) => part === "" || part === "." || part === "..") || /[\\:\0]/.test(path) || path.length > 1024;
  if (bad)
    throw new FileError(`${folder}: the path ${JSON.stringify(path.slice(0, 200))} is not one inside the folder`);
  return path;
}

/**
 * A whole text file.
 * @throws FileError when it is missing, longer than 64 MiB, not UTF-8, or what stands in for a file that was not downloaded.
 */
export async function readText(folder: Folder, path: string): Promise<string> {
  const file = await folder.open(path);
  try {
    if (file.size > MAX_TEXT) throw new FileError(`${file.name}: ${file.size} bytes, at most ${MAX_TEXT}`);
    const bytes = await file.read(0, file.size);
    const kind = kindOf(bytes);
    if (kind && kind.family !== "text") throw wrongKind(file.name, kind, "text");
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new FileError(`${file.name}: not UTF-8 text${kind ? `, but ${kind.what}; save it as UTF-8` : ""}`);
    }
  } finally {
    await file.close();
  }
}

/** A JSON file that holds an object. */
export async function readJson(folder: Folder, path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readText(folder, path);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FileError(
      `${folder.name}/${path}: not JSON (${printable(error instanceof Error ? error.message : String(error))})`,
    );
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FileError(`${folder.name}/${path}: not a JSON object`);
  return value as Record<string, unknown>;
}
