/**
 * Where bytes come from and go to, without naming Node or the browser. `src/platform/` holds the implementations.
 */

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
  has(path: string): Promise<boolean>;
  /** @throws FileError when there is no such file. */
  open(path: string): Promise<RandomAccessFile>;
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
