/** Files of sound, told apart by their first bytes. */
import type { RandomAccessFile } from "../checkpoint/source.js";
import { FileError } from "../errors.js";
import { CONVERT_IT, decodeWav, isWav, type Sound } from "./readWav.js";

/** 23 minutes of stereo floats at 48 kHz. */
const MAX_BYTES = 2 ** 28;

/** What other files start with. */
const OTHERS: readonly (readonly [at: number, magic: string, kind: string])[] = [
  [0, "fLaC", "a FLAC file"],
  [0, "OggS", "an Ogg file"],
  [0, "ID3", "an MP3 file"],
  [4, "ftyp", "an MP4 file"],
  [0, "FORM", "an AIFF file"],
  [0, "caff", "a CAF file"],
  [0, "\x1aE\xdf\xa3", "a Matroska or WebM file"],
];

/**
 * The sound in a WAV file. In a browser, `AudioContext.decodeAudioData` opens what this does not, and its samples are as good.
 * @throws FileError when it is empty, larger than 256 MiB, of another kind, or damaged
 */
export async function readSound(file: RandomAccessFile): Promise<Sound> {
  if (file.size === 0) throw new FileError(`${file.name}: the file is empty`);
  if (file.size > MAX_BYTES) {
    throw new FileError(`${file.name}: ${file.size} bytes, a recording has at most ${MAX_BYTES}; cut it`);
  }
  const bytes = await file.read(0, file.size);
  if (isWav(bytes)) return decodeWav(bytes, file.name);
  throw new FileError(`${file.name}: ${kindOf(bytes)}, only WAV is read; ${CONVERT_IT}`);
}

function kindOf(bytes: Uint8Array): string {
  const head = String.fromCharCode(...bytes.subarray(0, 16));
  const known = OTHERS.find(([at, magic]) => head.startsWith(magic, at));
  if (known) return known[2];
  // An MP3 without tags starts with the eleven set bits of its first frame.
  return bytes[0] === 0xff && ((bytes[1] as number) & 0xe0) === 0xe0 ? "an MP3 or AAC file" : "an unknown kind of file";
}
