/** Files in memory, to feed readers with bytes made in a test and to look at what a writer wrote. */
import { createHash } from "node:crypto";
import type { Folder, Hasher, OutputFolder, RandomAccessFile } from "../../src/checkpoint/source.js";
import { FileError } from "../../src/errors.js";

/** A file that fails the test, rather than the reader, when a range outside it is asked for. */
export function memoryFile(bytes: Uint8Array, name = "memory"): RandomAccessFile {
  return {
    name,
    size: bytes.length,
    async read(offset, length) {
      if (
        !(Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0) ||
        offset + length > bytes.length
      ) {
        throw new RangeError(`${name}: an unchecked read of ${length} bytes at ${offset}, it has ${bytes.length}`);
      }
      return new Uint8Array(bytes.subarray(offset, offset + length));
    },
    close: async () => undefined,
  };
}

export function memoryFolder(files: ReadonlyMap<string, Uint8Array | string>, name = "folder"): Folder {
  return {
    name,
    has: async (path) => files.has(path),
    async open(path) {
      const content = files.get(path);
      if (content === undefined) throw new FileError(`${name}/${path}: no such file`);
      return memoryFile(typeof content === "string" ? new TextEncoder().encode(content) : content, `${name}/${path}`);
    },
    list: async () => [...files.keys()].filter((path) => !path.includes("/")),
  };
}

export interface MemoryOutput extends OutputFolder {
  readonly files: Map<string, Uint8Array>;
  state: "open" | "committed" | "discarded";
}

export function memoryOutput(): MemoryOutput {
  const files = new Map<string, Uint8Array>();
  const output: MemoryOutput = {
    name: "output",
    files,
    state: "open",
    async create(path) {
      const pieces: Uint8Array[] = [];
      return {
        write: async (bytes) => void pieces.push(new Uint8Array(bytes)),
        close: async () => void files.set(path, new Uint8Array(Buffer.concat(pieces))),
      };
    },
    commit: async () => {
      output.state = "committed";
    },
    discard: async () => {
      files.clear();
      output.state = "discarded";
    },
  };
  return output;
}

export function sha256(): Hasher {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest("hex") };
}
