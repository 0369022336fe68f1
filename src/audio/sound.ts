/** Sound from a file on disk, or one that was picked in a browser. */
import type { RandomAccessFile } from "../checkpoint/source.js";
import { FileError } from "../errors.js";
import { decodeWav, MAX_BYTES, type Sound } from "./readWav.js";

/** @throws FileError when it is empty, larger than 256 MiB, no WAV file, or damaged */
export async function readSound(file: RandomAccessFile): Promise<Sound> {
  if (file.size === 0) throw new FileError(`${file.name}: the file is empty`);
  if (file.size > MAX_BYTES) {
    throw new FileError(`${file.name}: ${file.size} bytes, a recording has at most ${MAX_BYTES}; cut it`);
  }
  return decodeWav(await file.read(0, file.size), file.name);
}
