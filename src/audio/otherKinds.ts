/**
 * Files of sound that are not read, told apart by their first bytes, so that a person learns what to convert.
 *
 * The decoders of FLAC, MP3 and Ogg that run in Node and in browsers alike are WebAssembly builds that print to the console when a
 * file is damaged and return what they could make of it, and the one for MP3 is under the LGPL. A browser has its own
 * (`AudioContext.decodeAudioData`, whose samples are as good), and elsewhere one command converts a file.
 */

const MAGIC: readonly (readonly [at: number, magic: string, kind: string])[] = [
  [0, "fLaC", "a FLAC file"],
  [0, "OggS", "an Ogg file"],
  [0, "ID3", "an MP3 file"],
  [4, "ftyp", "an MP4 file"],
  [0, "FORM", "an AIFF file"],
  [0, "caff", "a CAF file"],
  [0, "\x1aE\xdf\xa3", "a Matroska or WebM file"],
];

/** @param bytes the file, or its first 16 bytes */
export function kindOf(bytes: Uint8Array): string {
  const head = String.fromCharCode(...bytes.subarray(0, 16));
  const known = MAGIC.find(([at, magic]) => head.startsWith(magic, at));
  if (known) return known[2];
  // An MP3 without tags starts with the eleven set bits of its first frame.
  return bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0 ? "an MP3 or AAC file" : "an unknown kind of file";
}
