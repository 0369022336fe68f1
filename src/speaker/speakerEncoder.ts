/** The speaker encoder: a filterbank of recorded speech -> the vector that stands for its voice. */
import type { Model } from "../checkpoint/model.js";
import type { SpeakerConfig } from "../config.js";
import { checkCancelled, FileError, InputError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import { Graph } from "../gpu/graph.js";
import { Program } from "../gpu/program.js";
import type { ResidentTensor, Tensor } from "../gpu/tensor.js";
import { Weights } from "../ops/weights.js";
import { type CamPlus, camPlus, loadCamPlus, STRIDE } from "./camPlus.js";

/** The statistics are over two frames at least, of which one has no deviation. */
const FEWEST_FRAMES = STRIDE + 1;

/** The program of one length, kept for the next recording of that length. */
interface Prepared {
  readonly frames: number;
  readonly program: Program;
  readonly fbank: ResidentTensor;
  readonly embedding: Tensor;
}

export class SpeakerEncoder {
  private last: Prepared | undefined;
  /** The end of the last call: calls share buffers, so the next one waits. */
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly device: Device,
    readonly config: SpeakerConfig,
    private readonly weights: Weights,
    private readonly net: CamPlus,
  ) {}

  /** @throws FileError when the model holds no speaker encoder or a tensor does not fit. */
  static async load(device: Device, model: Model): Promise<SpeakerEncoder> {
    const config = model.config.speaker;
    if (!config) {
      throw new FileError(`${model.name}: holds no speaker encoder; convert a checkpoint that has campplus.onnx`);
    }
    const weights = new Weights(device, model.tensors("speaker"), model.dtype);
    try {
      return new SpeakerEncoder(device, config, weights, await loadCamPlus(weights, config));
    } catch (error) {
      weights.destroy();
      throw error;
    }
  }

  /**
   * Calls made at once run one after the other.
   * @param fbank log energies at 16 kHz, 100 frames a second, the mean over time removed: [T, melBins]
   * @returns [embedding], of any length
   * @throws InputError for a filterbank of another width or of less than three frames, CancelledError when the signal fires
   */
  run(fbank: Float32Array, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Float32Array> {
    const turn = this.queue.then(() => {
      checkCancelled(signal, "the speaker encoder");
      return this.runNow(fbank);
    });
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** Frees everything on the GPU. */
  destroy(): void {
    this.forget();
    this.weights.destroy();
  }

  private async runNow(fbank: Float32Array): Promise<Float32Array> {
    const { melBins } = this.config;
    const frames = fbank.length / melBins;
    if (frames < FEWEST_FRAMES || !Number.isInteger(frames)) {
      throw new InputError(
        `fbank: ${fbank.length} values; the speaker encoder takes ${FEWEST_FRAMES} frames or more of ${melBins}`,
      );
    }
    const prepared = await this.prepare(frames);
    try {
      this.device.write(prepared.fbank, channelsFirst(fbank, frames, melBins));
      prepared.program.run();
      return await prepared.program.read(prepared.embedding);
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  private async prepare(frames: number): Promise<Prepared> {
    if (this.last?.frames === frames) return this.last;
    this.forget();
    const { device, config } = this;
    const fbank = device.tensor("speaker fbank", [config.melBins, frames, 1]);
    try {
      const g = new Graph("speaker", device.capabilities);
      const embedding = g.keep(camPlus(g, fbank, this.net));
      this.last = { frames, program: await Program.compile(device, g), fbank, embedding };
      return this.last;
    } catch (error) {
      device.release(fbank.buffer);
      throw error;
    }
  }

  private forget(): void {
    if (!this.last) return;
    this.last.program.destroy();
    this.device.release(this.last.fbank.buffer);
    this.last = undefined;
  }
}

/** [T, bins] -> [bins, T] */
function channelsFirst(data: Float32Array, frames: number, bins: number): Float32Array {
  return data.map((_, i) => data[(i % frames) * bins + Math.floor(i / frames)] as number);
}
