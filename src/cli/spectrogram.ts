/** A log-mel spectrogram as a PNG: time to the right, pitch upwards, bright is loud. */
import { encode } from "fast-png";
import { mel24k } from "../audio/mel.js";
import type { MelConfig } from "../config.js";
import { InputError } from "../errors.js";
import { atomicWrite } from "./atomicWrite.js";

/** Pixels per mel bin and per frame; long speech gets several frames per column instead. */
const BIN_HEIGHT = 4;
const FRAME_WIDTH = 2;
const MAX_WIDTH = 8192;

/** Natural-log units shown below the loudest value: 70 dB. */
const RANGE = 8;

/** OKLab colours of equal steps in lightness, so that equal steps of loudness look equal. */
const STOPS: readonly (readonly [lightness: number, a: number, b: number])[] = [
  [0.08, 0.01, -0.03],
  [0.3, 0.07, -0.13],
  [0.52, 0.17, -0.02],
  [0.74, 0.13, 0.12],
  [0.96, -0.02, 0.1],
];

/**
 * Draws speech into a PNG file.
 * @throws InputError for speech too short to have a spectrum, FileError when the file cannot be written
 */
export async function drawSpectrogram(
  path: string,
  { samples, sampleRate }: { readonly samples: Float32Array; readonly sampleRate: number },
  mel: MelConfig,
): Promise<void> {
  let values: Float32Array;
  try {
    values = mel24k(samples, mel, sampleRate);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${path}: there is no picture of so short a speech, ${error.message}`, { cause: error });
  }
  await atomicWrite(path, spectrogramPng(values, mel.bins));
}

/**
 * @param mel natural-log mel [frames, bins]
 */
export function spectrogramPng(mel: Float32Array, bins: number): Uint8Array {
  const frames = mel.length / bins;
  const perColumn = Math.max(1, Math.ceil((frames * FRAME_WIDTH) / MAX_WIDTH));
  const columns = Math.max(1, Math.ceil(frames / perColumn));
  const [width, height] = [columns * FRAME_WIDTH, bins * BIN_HEIGHT];
  const palette = Array.from({ length: 256 }, (_, i) => colour(i / 255));
  const top = mel.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const data = new Uint8Array(width * height * 3);
  for (let column = 0; column < columns; column++) {
    for (let bin = 0; bin < bins; bin++) {
      const level = (mean(mel, bins, bin, column * perColumn, perColumn) - top) / RANGE + 1;
      const rgb = palette[Math.round(255 * Math.min(1, Math.max(0, level)))] ?? [0, 0, 0];
      for (let y = (bins - 1 - bin) * BIN_HEIGHT; y < (bins - bin) * BIN_HEIGHT; y++) {
        for (let x = column * FRAME_WIDTH; x < (column + 1) * FRAME_WIDTH; x++) data.set(rgb, (y * width + x) * 3);
      }
    }
  }
  return encode({ width, height, data, channels: 3, depth: 8 });
}

function mean(mel: Float32Array, bins: number, bin: number, first: number, count: number): number {
  let sum = 0;
  const last = Math.min(first + count, mel.length / bins);
  for (let frame = first; frame < last; frame++) sum += mel[frame * bins + bin] as number;
  return sum / Math.max(1, last - first);
}

/** The colour at `level` 0 .. 1, as 8-bit sRGB (OKLab to linear RGB: B. Ottosson, "A perceptual color space for image processing", 2020). */
function colour(level: number): [number, number, number] {
  const place = level * (STOPS.length - 1);
  const at = Math.min(STOPS.length - 2, Math.floor(place));
  const [from, to] = [STOPS[at] ?? [0, 0, 0], STOPS[at + 1] ?? [0, 0, 0]];
  const [lightness, a, b] = [0, 1, 2].map((i) => {
    const [low, high] = [from[i] as number, to[i] as number];
    return low + (high - low) * (place - at);
  }) as [number, number, number];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    byte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** Linear light to an sRGB byte. */
function byte(linear: number): number {
  const value = Math.min(1, Math.max(0, linear));
  return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055));
}
