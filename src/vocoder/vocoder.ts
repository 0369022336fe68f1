/** The vocoder stage: mel -> f0 -> harmonic source -> samples. */
import type { Model } from "../checkpoint/model.js";
import { samplesPerFrame, type VocoderConfig } from "../config.js";
import { checkCancelled, FileError, InputError } from "../errors.js";
import { DEFAULT_LIMITS } from "../gpu/capabilities.js";
import type { Device } from "../gpu/device.js";
import { Graph } from "../gpu/graph.js";
import { Program } from "../gpu/program.js";
import { dim, type ResidentTensor } from "../gpu/tensor.js";
import { Weights } from "../ops/weights.js";
import { RandomStream } from "../random.js";
import { type Hift, hift, loadHift, receptiveFrames } from "./hift.js";
import { loadPitch, type Pitch, pitch } from "./pitch.js";
import { harmonicSource, type SourceMix } from "./source.js";

/** The largest activation of one window; about six are alive at once. */
const WINDOW_BYTES = DEFAULT_LIMITS.maxStorageBufferBindingSize / 4;

/** Name of the random stream that the source's noise comes from. */
export const SOURCE_NOISE = "source noise";

export interface VocoderInput {
  /** [M, melBins], on the host or the GPU. */
  readonly mel: Float32Array | ResidentTensor;
  /** Replaces the first samples of the source (streaming). */
  readonly cacheSource?: Float32Array;
  /** Seed of the source's noise. */
  readonly seed: number;
  /** false leaves the noise out; the result then depends on the mel alone. Default true. */
  readonly sourceNoise?: boolean;
  /** Place of the first sample in its utterance, so that a streamed utterance hears the same noise as a whole one. Default 0. */
  readonly firstSample?: number;
  readonly signal?: AbortSignal;
}

export interface VocoderOutput {
  /** [M · samplesPerFrame], within ±audioLimit. */
  readonly samples: Float32Array<ArrayBuffer>;
  /** The source signal that was used, cache included: [M · samplesPerFrame]. */
  readonly source: Float32Array;
  /** Hz per frame [M]. */
  readonly f0: Float32Array;
}

export interface VocoderOptions {
  /** Longest piece decoded at once, in mel frames; default: what keeps one activation within a quarter of WebGPU's smallest binding. */
  readonly windowFrames?: number;
}

/** Frames `from`..`to` are decoded, of which `keepFrom`..`keepTo` are kept; the rest surrounds them as far as the network reaches. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly keepFrom: number;
  readonly keepTo: number;
}

/**
 * Covers `frames` with windows of nearly equal length, at most `longest` frames with the `halo` around what each keeps. (Where
 * `longest` has no room for two halos, windows keep one frame and are longer than that.)
 */
export function windows(frames: number, longest: number, halo: number): Window[] {
  if (frames <= longest) return [{ from: 0, to: frames, keepFrom: 0, keepTo: frames }];
  const kept = Math.max(1, longest - 2 * halo);
  const count = Math.ceil(frames / kept);
  return Array.from({ length: count }, (_, i) => {
    const keepFrom = Math.round((frames * i) / count);
    const keepTo = Math.round((frames * (i + 1)) / count);
    return { from: Math.max(0, keepFrom - halo), to: Math.min(frames, keepTo + halo), keepFrom, keepTo };
  });
}

interface Parts {
  readonly weights: readonly Weights[];
  readonly net: Hift;
  readonly predictor: Pitch;
  readonly mix: SourceMix;
  /** Frames of the longest window, and what each needs around it. */
  readonly longest: number;
  readonly halo: number;
}

export class Vocoder {
  private constructor(
    private readonly device: Device,
    readonly config: VocoderConfig,
    /** Samples per second. */
    readonly rate: number,
    private readonly parts: Parts,
  ) {}

  /** @throws FileError when the model holds no vocoder or a tensor does not fit. */
  static async load(device: Device, model: Model, options: VocoderOptions = {}): Promise<Vocoder> {
    const { vocoder, sampleRate } = model.config;
    if (!vocoder) throw new FileError(`${model.name}: holds no vocoder; convert a checkpoint that has hift.pt`);
    const source = model.tensors("vocoder");
    const weights = [new Weights(device, source, model.dtype), new Weights(device, source, "f32")] as const;
    try {
      const net = await loadHift(weights[0], vocoder);
      const predictor = await loadPitch(weights[1], vocoder);
      const [bias = 0] = await source.read("m_source.l_linear.bias");
      const mix = { weight: await source.read("m_source.l_linear.weight"), bias };
      const longest = options.windowFrames ?? Math.max(1, Math.floor(WINDOW_BYTES / largestFrameBytes(vocoder)));
      const halo = receptiveFrames(vocoder, net.convPre.weight.taps, net.convPost.weight.taps);
      return new Vocoder(device, vocoder, sampleRate, { weights, net, predictor, mix, longest, halo });
    } catch (error) {
      for (const part of weights) part.destroy();
      throw error;
    }
  }

  /** Samples one mel frame stands for. */
  get samplesPerFrame(): number {
    return samplesPerFrame(this.config);
  }

  /** Mel [M, melBins] -> Hz per frame [M]. */
  async f0(mel: Float32Array | ResidentTensor): Promise<Float32Array> {
    return this.withMel(mel, async (resident) => {
      if (dim(resident, 0) === 0) return new Float32Array(0);
      const graph = new Graph("pitch", this.device.capabilities);
      const out = graph.keep(pitch(graph, resident, this.parts.predictor));
      const program = await Program.compile(this.device, graph);
      try {
        program.run();
        return (await program.read(out)).map(Math.abs);
      } finally {
        program.destroy();
      }
    });
  }

  /** f0 [M] and unit Gaussian noise [M · samplesPerFrame, overtones + 1] (null: none) -> source signal [M · samplesPerFrame]. */
  source({ f0, noise }: { readonly f0: Float32Array; readonly noise: Float32Array | null }): Float32Array {
    return harmonicSource(f0, noise, this.parts.mix, this.config, this.rate);
  }

  /** Mel [M, melBins] and source [M · samplesPerFrame] -> samples [M · samplesPerFrame]. */
  async decode(
    mel: Float32Array | ResidentTensor,
    source: Float32Array,
    signal?: AbortSignal,
  ): Promise<Float32Array<ArrayBuffer>> {
    return this.withMel(mel, async (resident) => {
      const frames = dim(resident, 0);
      if (source.length !== frames * this.samplesPerFrame) {
        throw new InputError(
          `source has ${source.length} samples, ${frames} mel frames need ${frames * this.samplesPerFrame}`,
        );
      }
      if (frames === 0) return new Float32Array(0);
      const { device } = this;
      const sourceTensor = device.upload("vocoder source", [source.length], source);
      const out = device.tensor("vocoder samples", [source.length]);
      try {
        for (const window of windows(frames, this.parts.longest, this.parts.halo)) {
          checkCancelled(signal, "the vocoder");
          await this.decodeWindow(resident, sourceTensor, out, window);
        }
        checkCancelled(signal, "the vocoder");
        return await device.read(out);
      } finally {
        device.release(sourceTensor.buffer, out.buffer);
      }
    });
  }

  /** The whole stage. @throws CancelledError when `signal` fired. */
  async run(input: VocoderInput): Promise<VocoderOutput> {
    const { cacheSource, seed, sourceNoise = true, firstSample = 0, signal } = input;
    checkCancelled(signal, "the vocoder");
    return this.withMel(input.mel, async (mel) => {
      const f0 = await this.f0(mel);
      checkCancelled(signal, "the vocoder");
      const sines = this.config.overtones + 1;
      const count = f0.length * this.samplesPerFrame * sines;
      const noise = sourceNoise ? new RandomStream(SOURCE_NOISE, seed).gaussian(firstSample * sines, count) : null;
      const source = this.source({ f0, noise });
      if (cacheSource) {
        if (cacheSource.length > source.length) {
          throw new InputError(
            `cached source of ${cacheSource.length} samples is longer than the ${source.length} to make`,
          );
        }
        source.set(cacheSource);
      }
      return { f0, source, samples: await this.decode(mel, source, signal) };
    });
  }

  destroy(): void {
    for (const weights of this.parts.weights) weights.destroy();
  }

  private async decodeWindow(
    mel: ResidentTensor,
    source: ResidentTensor,
    out: ResidentTensor,
    { from, to, keepFrom, keepTo }: Window,
  ): Promise<void> {
    const graph = new Graph("vocoder", this.device.capabilities);
    const perFrame = this.samplesPerFrame;
    const bins = this.config.melBins;
    const melPart = graph.temp("mel", [to - from, bins]);
    graph.copy(mel, from * bins * 4, melPart, 0, (to - from) * bins * 4);
    const sourcePart = graph.temp("source", [(to - from) * perFrame]);
    graph.copy(source, from * perFrame * 4, sourcePart, 0, (to - from) * perFrame * 4);
    const samples = hift(graph, melPart, sourcePart, this.parts.net, this.config);
    graph.copy(
      samples,
      (keepFrom - from) * perFrame * 4,
      out,
      keepFrom * perFrame * 4,
      (keepTo - keepFrom) * perFrame * 4,
    );
    const program = await Program.compile(this.device, graph);
    try {
      program.run();
      // One window's memory at a time, and a place for cancellation to be seen.
      await this.device.gpu.queue.onSubmittedWorkDone();
    } finally {
      program.destroy();
    }
  }

  /** Lends a mel on the host to the GPU for the time of one call. */
  private async withMel<T>(mel: Float32Array | ResidentTensor, use: (mel: ResidentTensor) => Promise<T>): Promise<T> {
    const bins = this.config.melBins;
    if (!(mel instanceof Float32Array)) return use(mel);
    if (mel.length % bins !== 0) throw new InputError(`mel has ${mel.length} values, not a multiple of ${bins} bins`);
    const resident = this.device.upload("vocoder mel", [mel.length / bins, bins], mel);
    try {
      return await use(resident);
    } finally {
      this.device.release(resident.buffer);
    }
  }
}

/** Bytes of one mel frame's activations where they are widest. */
function largestFrameBytes({ base, upRates }: VocoderConfig): number {
  let rows = 1;
  return upRates.reduce((most, rate, i) => {
    rows *= rate;
    return Math.max(most, (rows * base * 4) / 2 ** (i + 1));
  }, base * 4);
}
