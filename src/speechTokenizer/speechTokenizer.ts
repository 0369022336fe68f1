/**
 * The speech tokenizer: a log-mel spectrogram of recorded speech -> the ids of its speech tokens. Whole floats in every model: a
 * decision of the quantiser flips when a number moves by less than a half's precision.
 */
import { MAX_HEAD_DIM } from "../../kernels/chunkAttention.js";
import type { Model } from "../checkpoint/model.js";
import type { SpeechTokenizerConfig } from "../config.js";
import { checkCancelled, FileError, InputError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import { Graph } from "../gpu/graph.js";
import { Program } from "../gpu/program.js";
import type { ResidentTensor, Tensor } from "../gpu/tensor.js";
import { fsq } from "../ops/speechTokenizer.js";
import { Weights } from "../ops/weights.js";
import { loadSpeechEncoder, rotaryTable, type SpeechEncoder, speechEncoder, tokensOf } from "./encoder.js";
import { WINDOWS, type WindowSizes, windowsOf } from "./windows.js";

export interface SpeechTokens {
  /** [S], each below 3^fsqDims. */
  readonly ids: Int32Array;
  /** What was quantised, before the tanh: [S, fsqDims]. */
  readonly hidden: Float32Array;
}

export interface TokenizeOptions {
  readonly signal?: AbortSignal;
  /** Audio longer than a window is tokenised in several. */
  readonly windows?: WindowSizes;
}

/** The program of one length, kept for the next window of that length. */
interface Prepared {
  readonly frames: number;
  readonly program: Program;
  readonly mel: ResidentTensor;
  readonly positions: ResidentTensor;
  readonly hidden: Tensor;
  readonly ids: Tensor;
}

/** @throws FileError for sizes that cannot be computed; `name` is that of the model */
export function checkSpeechTokenizer(name: string, { width, heads }: SpeechTokenizerConfig): void {
  const headDim = width / heads;
  if (headDim % 2 !== 0 || headDim > MAX_HEAD_DIM) {
    throw new FileError(
      `${name}: attention heads of the speech tokenizer have ${headDim} channels; even numbers up to ${MAX_HEAD_DIM} can be computed`,
    );
  }
}

export class SpeechTokenizer {
  private last: Prepared | undefined;
  /** The end of the last call: calls share buffers, so the next one waits. */
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly device: Device,
    readonly config: SpeechTokenizerConfig,
    private readonly weights: Weights,
    private readonly net: SpeechEncoder,
  ) {}

  /** @throws FileError when the model holds no speech tokenizer or its sizes cannot be computed. */
  static async load(device: Device, model: Model): Promise<SpeechTokenizer> {
    const config = model.config.speechTokenizer;
    if (!config) {
      throw new FileError(
        `${model.name}: holds no speech tokenizer; convert a checkpoint that has speech_tokenizer_v2.onnx`,
      );
    }
    checkSpeechTokenizer(model.name, config);
    const weights = new Weights(device, model.tensors("speechTokenizer"), "f32");
    try {
      return new SpeechTokenizer(device, config, weights, await loadSpeechEncoder(weights, config));
    } catch (error) {
      weights.destroy();
      throw error;
    }
  }

  /**
   * Calls made at once run one after the other.
   * @param mel Whisper's log-mel spectrogram of the whole recording at 16 kHz, 100 frames a second: [F, melBins]
   * @throws InputError for a mel of another width or without frames, CancelledError when the signal fires
   */
  run(mel: Float32Array, options: TokenizeOptions = {}): Promise<SpeechTokens> {
    const turn = this.queue.then(() => this.runNow(mel, options));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** Frees everything on the GPU. */
  destroy(): void {
    this.forget();
    this.weights.destroy();
  }

  private async runNow(mel: Float32Array, { signal, windows = WINDOWS }: TokenizeOptions): Promise<SpeechTokens> {
    const { melBins, fsqDims } = this.config;
    const frames = mel.length / melBins;
    if (frames === 0 || !Number.isInteger(frames)) {
      throw new InputError(`mel: ${mel.length} values; the speech tokenizer takes one frame or more of ${melBins}`);
    }
    const ids = new Int32Array(tokensOf(frames));
    const hidden = new Float32Array(ids.length * fsqDims);
    let done = 0;
    for (const { from, to, keepFrom, keepTo } of windowsOf(frames, windows, tokensOf)) {
      checkCancelled(signal, "the speech tokenizer");
      const found = await this.window(mel.subarray(from * melBins, to * melBins));
      ids.set(found.ids.subarray(keepFrom, keepTo), done);
      hidden.set(found.hidden.subarray(keepFrom * fsqDims, keepTo * fsqDims), done * fsqDims);
      done += keepTo - keepFrom;
    }
    return { ids, hidden };
  }

  private async window(mel: Float32Array): Promise<SpeechTokens> {
    const prepared = await this.prepare(mel.length / this.config.melBins);
    try {
      this.device.write(prepared.mel, mel);
      prepared.program.run();
      const hidden = await prepared.program.read(prepared.hidden);
      const ids = await this.device.readU32(prepared.program.resident(prepared.ids));
      return { hidden, ids: Int32Array.from(ids) };
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  private async prepare(frames: number): Promise<Prepared> {
    if (this.last?.frames === frames) return this.last;
    this.forget();
    const { device, config } = this;
    const [tokens, headDim] = [tokensOf(frames), config.width / config.heads];
    const mel = device.tensor("tokenizer mel", [frames, config.melBins]);
    const positions = device.upload("tokenizer positions", [tokens, headDim / 2, 2], rotaryTable(tokens, headDim));
    try {
      const g = new Graph("speech tokenizer", device.capabilities);
      const hidden = g.keep(speechEncoder(g, mel, this.net, config, positions));
      const ids = g.keep(fsq(g, hidden));
      this.last = { frames, program: await Program.compile(device, g), mel, positions, hidden, ids };
      return this.last;
    } catch (error) {
      device.release(mel.buffer, positions.buffer);
      throw error;
    }
  }

  private forget(): void {
    if (!this.last) return;
    this.last.program.destroy();
    this.device.release(this.last.mel.buffer, this.last.positions.buffer);
    this.last = undefined;
  }
}
