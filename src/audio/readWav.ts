/**
 * A WAV file to samples: whole numbers of 8 to 32 bits, floats of 32 and 64, A-law and mu-law, any rate and number of channels, in the
 * containers RIFF, RIFX (big-endian) and RF64 (over 4 GiB), also as a stream leaves them, without the true sizes.
 *
 * The reader is our own where `wavefile` writes: that one follows every count in the file without a bound, takes the floats of an
 * "extensible" file for whole numbers, and needs 8 s for half a minute of stereo floats.
 */
import { kindOf, wrongKind } from "../checkpoint/fileKind.js";
import { printable } from "../checkpoint/printable.js";
import { FileError } from "../errors.js";
import { A_LAW, MU_LAW } from "./g711.js";
import { mix } from "./mix.js";

/** Sound of one channel. */
export interface Sound {
  /** Within ±1, unless the file is louder. */
  readonly samples: Float32Array;
  /** Samples per second. */
  readonly sampleRate: number;
  /** What is doubtful about it, a line each. */
  readonly warnings?: readonly string[];
}

/** Format tags; an extensible file has its tag at the head of a GUID whose other bytes are these. */
const PCM = 1;
const FLOAT = 3;
/** Samples that a table decodes. */
const TABLES: ReadonlyMap<number, Float32Array> = new Map([
  [6, A_LAW],
  [7, MU_LAW],
]);
const EXTENSIBLE = 0xfffe;
const GUID_TAIL = "000000000010800000aa00389b71";
const OTHER_TAGS: ReadonlyMap<number, string> = new Map([
  [2, "ADPCM"],
  [0x11, "IMA ADPCM"],
  [0x55, "MP3"],
  [EXTENSIBLE, "an unknown extension"],
]);

/** Chunks before the sound; real files have a handful. */
const MAX_CHUNKS = 1000;
const MAX_CHANNELS = 256;
const MAX_RATE = 768_000;
/** 23 minutes at 48 kHz. */
const MAX_FRAMES = 2 ** 26;
/** Where a float stops being loud and starts being something else: 18 dB over full scale. */
const MAX_LEVEL = 8;
/** The largest file that is read: 11 minutes of stereo floats at 48 kHz. */
export const MAX_BYTES = 2 ** 28;
/** The size that says "see the ds64 chunk". */
const LONG_SIZE = 0xffff_ffff;

const CONVERT_IT = "convert it with: ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav";

interface Format {
  readonly float: boolean;
  readonly table: Float32Array | undefined;
  readonly channels: number;
  readonly sampleRate: number;
  /** Bytes of one sample of one channel; shorter samples lie in the upper bits. */
  readonly width: number;
}

function isWav(bytes: Uint8Array): boolean {
  return bytes.length >= 12 && ["RIFF", "RIFX", "RF64"].includes(ascii(bytes, 0)) && ascii(bytes, 8) === "WAVE";
}

/**
 * @param name for messages
 * @returns the mean of the channels, or one of several that cancel each other
 * @throws FileError when it is no WAV file, is cut short, holds a coding that is not read, or samples that are not finite
 */
export function decodeWav(
  bytes: Uint8Array,
  name = "the recording",
): Sound & { readonly samples: Float32Array<ArrayBuffer> } {
  if (!isWav(bytes)) throw notWav(bytes, name);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = ascii(bytes, 0) !== "RIFX";
  const { format: formatChunk, data } = findChunks(view, bytes, little, name);
  const format = readFormat(formatChunk, little, name);
  const { channels, sampleRate, width } = format;
  const frames = Math.floor(data.byteLength / (channels * width));
  if (frames === 0) throw new FileError(`${name}: the file holds no sound`);
  if (frames > MAX_FRAMES) {
    throw new FileError(
      `${name}: ${(frames / sampleRate).toFixed(0)} s of sound, ${frames} samples are more than ${MAX_FRAMES}; cut it`,
    );
  }
  const read = sampleReader(data, format, little);
  const { samples, alone } = mix(frames, channels, (frame, channel) => read((frame * channels + channel) * width));
  const bad = samples.findIndex((v) => !(Math.abs(v) <= MAX_LEVEL));
  if (bad >= 0) {
    const rule = "a sound is made of finite numbers within ±1";
    throw new FileError(`${name}: sample ${bad} is ${samples[bad]}; ${rule}; record or export it again`);
  }
  if (alone === undefined) return { samples, sampleRate };
  const warning = `${name}: its ${channels} channels cancel each other, as when one is inverted; channel ${alone + 1} alone is used`;
  return { samples, sampleRate, warnings: [warning] };
}

/**
 * The decoders of FLAC, MP3 and Ogg that run in Node and in browsers alike are WebAssembly builds that print to the console when a file
 * is damaged and return what they could make of it, and the one for MP3 is under the LGPL. A browser has its own
 * (`AudioContext.decodeAudioData`, whose samples are as good), and elsewhere one command converts a file.
 */
function notWav(bytes: Uint8Array, name: string): FileError {
  const kind = kindOf(bytes);
  if (kind && kind.family !== "sound") return wrongKind(name, kind, "a WAV file");
  return new FileError(`${name}: ${kind?.what ?? "an unknown kind of file"}, only WAV is read; ${CONVERT_IT}`);
}

/** The two chunks that matter; all others are stepped over. */
function findChunks(view: DataView, bytes: Uint8Array, little: boolean, name: string) {
  let format: DataView | undefined;
  let data: DataView | undefined;
  let longSize: number | undefined; // of the data chunk, in RF64
  let count = 0;
  for (let at = 12; at + 8 <= view.byteLength && !(format && data); ) {
    if (++count > MAX_CHUNKS)
      throw new FileError(`${name}: more than ${MAX_CHUNKS} chunks without sound; ${CONVERT_IT}`);
    const id = ascii(bytes, at);
    const stated = view.getUint32(at + 4, little);
    const start = at + 8;
    const left = view.byteLength - start;
    const claimed = id === "data" && stated === LONG_SIZE ? (longSize ?? stated) : stated;
    const size = id === "data" && isOpen(claimed, bytes, start, little) ? left : claimed;
    if (size > left) {
      const what = `its chunk "${printable(id)}" claims ${size} bytes, the file has ${left} more`;
      throw new FileError(`${name}: ${what}; it was cut short or never finished: get it again, or ${CONVERT_IT}`);
    }
    const content = new DataView(view.buffer, view.byteOffset + start, size);
    if (id === "fmt ") format ??= content;
    if (id === "data") data ??= content;
    if (id === "ds64" && size >= 16) longSize = Number(content.getBigUint64(8, little));
    at = start + size + (size % 2);
  }
  if (!format) throw new FileError(`${name}: a WAV file without its "fmt " chunk; ${CONVERT_IT}`);
  if (!data) throw new FileError(`${name}: a WAV file without its "data" chunk; ${CONVERT_IT}`);
  return { format, data };
}

/**
 * Whether the size of the sound is none: a writer that streams does not know it, and leaves 0 or something huge there for good. A size
 * that a file could have, and this one has not, is that of a file that was cut short.
 */
function isOpen(size: number, bytes: Uint8Array, start: number, little: boolean): boolean {
  if (size > 0) return size > MAX_BYTES && size > bytes.length - start;
  return start < bytes.length && !areChunks(bytes, start, little);
}

/** Whether all that is left of a file is chunks, which then follow no sound. */
function areChunks(bytes: Uint8Array, start: number, little: boolean): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  for (let count = 0; count < MAX_CHUNKS && at + 8 <= bytes.length; count++) {
    if (!/^[ -~]{4}$/.test(ascii(bytes, at))) return false;
    const size = view.getUint32(at + 4, little);
    at += 8 + size + (size % 2);
  }
  // The last one may lack its byte of padding.
  return at === bytes.length || at === bytes.length + 1;
}

function readFormat(chunk: DataView, little: boolean, name: string): Format {
  if (chunk.byteLength < 16) {
    throw new FileError(`${name}: its "fmt " chunk has ${chunk.byteLength} bytes, at least 16 are needed`);
  }
  const outer = chunk.getUint16(0, little);
  const tag = outer === EXTENSIBLE ? subFormat(chunk, little) : outer;
  const table = TABLES.get(tag);
  if (tag !== PCM && tag !== FLOAT && !table) {
    const coding = OTHER_TAGS.get(tag) ?? `number ${tag}`;
    const rule = "only PCM, float, A-law and mu-law are read";
    throw new FileError(`${name}: its samples are coded as ${coding}, ${rule}; ${CONVERT_IT}`);
  }
  const float = tag === FLOAT;
  const channels = chunk.getUint16(2, little);
  if (channels < 1 || channels > MAX_CHANNELS) {
    throw new FileError(`${name}: ${channels} channels, expected 1 to ${MAX_CHANNELS}`);
  }
  const sampleRate = chunk.getUint32(4, little);
  if (sampleRate < 1 || sampleRate > MAX_RATE) {
    throw new FileError(`${name}: a sample rate of ${sampleRate} Hz, expected 1 to ${MAX_RATE}`);
  }
  const width = chunk.getUint16(12, little) / channels;
  const bits = chunk.getUint16(14, little);
  const widths = float ? [4, 8] : table ? [1] : [1, 2, 3, 4];
  if (!widths.includes(width) || bits < 1 || bits > 8 * width || (float && bits !== 8 * width)) {
    const kind = float ? "floats" : table ? "codes" : "whole numbers";
    throw new FileError(`${name}: ${kind} of ${bits} bits in ${width} bytes, expected ${widths.join(", ")} bytes`);
  }
  return { float, table, channels, sampleRate, width };
}

/** The format tag of an extensible file; that number itself where there is none. */
function subFormat(chunk: DataView, little: boolean): number {
  if (chunk.byteLength < 40) return EXTENSIBLE;
  const fields = [chunk.getUint16(26, little), chunk.getUint16(28, little), chunk.getUint16(30, little)];
  const tail = Array.from({ length: 8 }, (_, i) => chunk.getUint8(32 + i));
  const guid = [...fields.map((v) => hex(v, 4)), ...tail.map((v) => hex(v, 2))].join("");
  return guid === GUID_TAIL ? chunk.getUint16(24, little) : EXTENSIBLE;
}

/** A function from the place of a sample to its value, full scale being ±1; 8-bit samples have their zero at 128. */
function sampleReader(data: DataView, { float, table, width }: Format, little: boolean): (at: number) => number {
  if (table) return (at) => table[data.getUint8(at)] as number;
  if (float) return width === 8 ? (at) => data.getFloat64(at, little) : (at) => data.getFloat32(at, little);
  switch (width) {
    case 1:
      return (at) => (data.getUint8(at) - 128) / 2 ** 7;
    case 2:
      return (at) => data.getInt16(at, little) / 2 ** 15;
    case 3:
      return little
        ? (at) => (data.getInt8(at + 2) * 2 ** 16 + data.getUint16(at, true)) / 2 ** 23
        : (at) => (data.getInt8(at) * 2 ** 16 + data.getUint16(at + 1, false)) / 2 ** 23;
    default:
      return (at) => data.getInt32(at, little) / 2 ** 31;
  }
}

function ascii(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
