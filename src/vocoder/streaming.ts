/**
 * The vocoder of a streamed utterance (upstream `token2wav` with its cache): every chunk is decoded together with the end of the one
 * before, takes over that one's source there, and is faded into its samples.
 */
import type { VocoderConfig } from "../config.js";
import type { Vocoder } from "./vocoder.js";

/** Mel frames decoded again at the start of the next chunk. */
const CACHED_FRAMES = 8;

export interface VocoderStreamOptions {
  readonly seed: number;
  readonly sourceNoise?: boolean;
  readonly signal?: AbortSignal;
}

interface Cache {
  readonly mel: Float32Array; // [CACHED_FRAMES, melBins]
  readonly source: Float32Array; // [CACHED_FRAMES · samplesPerFrame]
  readonly samples: Float32Array; // likewise
}

export class VocoderStream {
  private cache: Cache | undefined;
  /** Place of the next chunk's first decoded sample in the utterance. */
  private firstSample = 0;

  constructor(
    private readonly vocoder: Vocoder,
    private readonly options: VocoderStreamOptions,
  ) {}

  /**
   * @param mel the new frames [M, melBins]; at least CACHED_FRAMES unless `final`
   * @returns the samples that are settled: all if `final`, else all but the last CACHED_FRAMES frames' worth
   */
  async push(mel: Float32Array, final: boolean): Promise<Float32Array> {
    const { cache, vocoder } = this;
    const held = CACHED_FRAMES * vocoder.samplesPerFrame;
    const bins = vocoder.config.melBins;
    const joined = cache ? concat(cache.mel, mel) : mel;
    const { samples, source } = await vocoder.run({
      ...this.options,
      mel: joined,
      firstSample: this.firstSample,
      ...(cache ? { cacheSource: cache.source } : {}),
    });
    if (cache) crossFade(samples, cache.samples);
    if (final) {
      this.cache = undefined;
      this.firstSample = 0;
      return samples;
    }
    const emitted = Math.max(0, samples.length - held);
    this.cache = {
      mel: joined.slice(Math.max(0, joined.length - CACHED_FRAMES * bins)),
      source: source.slice(emitted),
      samples: samples.slice(emitted),
    };
    this.firstSample += emitted;
    return samples.slice(0, emitted);
  }
}

/** Fades from `old` into the start of `samples`, with the two halves of a symmetric Hamming window; their sum is 1.08, as upstream. */
export function crossFade(samples: Float32Array, old: Float32Array): void {
  const length = old.length;
  const window = (n: number) => 0.54 - 0.46 * Math.cos((2 * Math.PI * n) / (2 * length - 1));
  for (let n = 0; n < length; n++) {
    samples[n] = (samples[n] as number) * window(n) + (old[n] as number) * window(length + n);
  }
}

function concat(a: Float32Array, b: Float32Array): Float32Array {
  const out = new Float32Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

/**
 * Changes the speed of speech by stretching its mel along time: linear interpolation to ⌊frames / speed⌋ frames, ends not aligned
 * (`align_corners=false`).
 *
 * @param mel [frames, melBins]
 */
export function changeSpeed(
  mel: Float32Array,
  { melBins }: Pick<VocoderConfig, "melBins">,
  speed: number,
): Float32Array {
  const frames = mel.length / melBins;
  const wanted = Math.floor(frames / speed);
  const out = new Float32Array(wanted * melBins);
  for (let i = 0; i < wanted; i++) {
    const position = Math.max(0, ((i + 0.5) * frames) / wanted - 0.5);
    const before = Math.floor(position);
    const after = Math.min(before + 1, frames - 1);
    const share = position - before;
    for (let b = 0; b < melBins; b++) {
      out[i * melBins + b] =
        (1 - share) * (mel[before * melBins + b] as number) + share * (mel[after * melBins + b] as number);
    }
  }
  return out;
}
