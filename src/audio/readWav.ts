/**
 * A WAV file to samples: whole numbers of 8 to 32 bits and floats of 32 and 64, any rate and number of channels, in the containers
 * RIFF, RIFX (big-endian) and RF64 (over 4 GiB).
 *
 * The reader is our own where `wavefile` writes: that one follows every count in the file without a bound, takes the floats of an
 * "extensible" file for whole numbers, and needs 8 s for half a minute of stereo floats.
 */
import { printable } from "../checkpoint/printable.js";
import { FileError } from "../errors.js";
import { kindOf } from "./otherKinds.js";

/** Sound of one channel. */
export interface Sound {
  /** Within ±1, unless the file is louder. */
  readonly samples: Float32Array;
  /** Samples per second. */
  readonly sampleRate: number;
}

/** Format tags; an extensible file has its tag at the head of a GUID whose other bytes are these. */
const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const GUID_TAIL = "000000000010800000aa00389b71";
const OTHER_TAGS: ReadonlyMap<number, string> = new Map([
  [2, "ADPCM"],
  [6, "A-law"],
  [7, "mu-law"],
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
/** The size that says "see the ds64 chunk"; writers that stream leave it there for good. */
const OPEN_SIZE = 0xffff_ffff;

const CONVERT_IT = "convert it with: ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav";

interface Format {
  readonly float: boolean;
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
 * @returns the mean of the channels
 * @throws FileError when it is no WAV file, is cut short, holds a coding that is neither PCM nor float, or samples that are not finite
 */
export function decodeWav(
  bytes: Uint8Array,
  name = "the recording",
): Sound & { readonly samples: Float32Array<ArrayBuffer> } {
  if (!isWav(bytes)) throw new FileError(`${name}: ${kindOf(bytes)}, only WAV is read; ${CONVERT_IT}`);
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
  const samples = new Float32Array(frames);
  for (let i = 0; i < frames; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += read((i * channels + c) * width);
    samples[i] = sum / channels;
  }
  const bad = samples.findIndex((v) => !(Math.abs(v) <= MAX_LEVEL));
  if (bad >= 0) {
    const rule = "a sound is made of finite numbers within ±1";
    throw new FileError(`${name}: sample ${bad} is ${samples[bad]}; ${rule}; record or export it again`);
  }
  return { samples, sampleRate };
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
    const size = id === "data" && stated === OPEN_SIZE ? (longSize ?? stated) : stated;
    const start = at + 8;
    const left = view.byteLength - start;
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

function readFormat(chunk: DataView, little: boolean, name: string): Format {
  if (chunk.byteLength < 16) {
    throw new FileError(`${name}: its "fmt " chunk has ${chunk.byteLength} bytes, at least 16 are needed`);
  }
  const outer = chunk.getUint16(0, little);
  const tag = outer === EXTENSIBLE ? subFormat(chunk, little) : outer;
  if (tag !== PCM && tag !== FLOAT) {
    const coding = OTHER_TAGS.get(tag) ?? `number ${tag}`;
    throw new FileError(`${name}: its samples are coded as ${coding}, only PCM and float are read; ${CONVERT_IT}`);
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
  const widths = float ? [4, 8] : [1, 2, 3, 4];
  if (!widths.includes(width) || bits < 1 || bits > 8 * width || (float && bits !== 8 * width)) {
    const kind = float ? "floats" : "whole numbers";
    throw new FileError(`${name}: ${kind} of ${bits} bits in ${width} bytes, expected ${widths.join(", ")} bytes`);
  }
  return { float, channels, sampleRate, width };
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
function sampleReader(data: DataView, { float, width }: Format, little: boolean): (at: number) => number {
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
