/** From a recording to a voice: its words' tokens, its speaker and its mel. */
import { fbank } from "./audio/fbank.js";
import { mel24k } from "./audio/mel.js";
import type { Sound } from "./audio/readWav.js";
import { doubts, prepareRecording } from "./audio/recording.js";
import { whisperMel } from "./audio/whisperMel.js";
import type { Model } from "./checkpoint/model.js";
import { codebookOf } from "./codebook.js";
import { FileError, InputError } from "./errors.js";
import type { Device } from "./gpu/device.js";
import { SpeakerEncoder } from "./speaker/speakerEncoder.js";
import { SpeechTokenizer } from "./speechTokenizer/speechTokenizer.js";
import type { Voice } from "./voice.js";

export interface ListenOptions {
  /** What the voice will be called. */
  readonly name: string;
  /** What the recording is called, in messages: its file. Default the name. */
  readonly file?: string;
  /** The words of the recording; without them the voice speaks, but not zero-shot. */
  readonly transcript?: string;
  /** Cut silence off both ends and append a short one, which keeps the last sound from leaking into speech. Default true. */
  readonly trim?: boolean;
  readonly signal?: AbortSignal;
}

/** The names of `ListenOptions`. */
export const LISTEN_OPTIONS = {
  ...{ name: true, file: true, transcript: true, trim: true, signal: true },
} as const satisfies Record<keyof ListenOptions, true>;

/** Longest source of voice conversion; it is tokenized window by window. */
const MAX_SOURCE_SECONDS = 290;

/** The two networks that hear; the words of a recording are heard without the second. */
export class Listener {
  private constructor(
    private readonly model: Pick<Model, "name" | "config">,
    private readonly tokenizer: SpeechTokenizer,
    private readonly encoder: SpeakerEncoder | undefined,
    private readonly codebook: string | undefined,
  ) {}

  /** @throws FileError when the model has no speech tokenizer */
  static async load(device: Device, model: Model): Promise<Listener> {
    const tokenizer = await SpeechTokenizer.load(device, model);
    try {
      const encoder = model.config.speaker ? await SpeakerEncoder.load(device, model) : undefined;
      return new Listener(model, tokenizer, encoder, await codebookOf(model));
    } catch (error) {
      tokenizer.destroy();
      throw error;
    }
  }

  /**
   * @throws InputError for a recording that cannot be used, FileError when the model has no speaker encoder, CancelledError when the
   * signal fires
   */
  async voice(sound: Sound, { name, file = name, transcript, trim = true, signal }: ListenOptions): Promise<Voice> {
    const { encoder } = this;
    const { config, name: from } = this.model;
    if (!encoder) {
      throw new FileError(
        `${from}: to hear who speaks, a model needs a speaker encoder; convert one with campplus.onnx`,
      );
    }
    const { samples, samples16k } = prepareRecording(sound, { name: file, sampleRate: config.sampleRate, trim });
    const cancel = signal ? { signal } : {};
    const embedding = await encoder.run(fbank(samples16k, encoder.config.melBins), cancel);
    const { ids: tokens } = await this.tokenizer.run(whisperMel(samples16k, this.tokenizer.config.melBins).mel, cancel);
    const mel = mel24k(samples, config.mel, config.sampleRate);
    if (mel.length < config.tokenMelRatio * config.mel.bins) {
      throw new InputError(`${file}: the recording is too short for a speech token`);
    }
    const { codebook } = this;
    const warnings = doubts(sound, file);
    return {
      name,
      embedding,
      ...(warnings.length > 0 && { warnings }),
      prompt: { tokens, mel, ...(codebook && { codebook }), ...(transcript === undefined ? {} : { transcript }) },
    };
  }

  /** Speech tokens [S] of a recording that another voice will speak. */
  async tokens(sound: Sound, name: string, signal?: AbortSignal): Promise<Int32Array> {
    const { sampleRate } = this.model.config;
    const { samples16k } = prepareRecording(sound, { name, sampleRate, maxSeconds: MAX_SOURCE_SECONDS });
    const { mel } = whisperMel(samples16k, this.tokenizer.config.melBins);
    return (await this.tokenizer.run(mel, signal ? { signal } : {})).ids;
  }

  destroy(): void {
    this.tokenizer.destroy();
    this.encoder?.destroy();
  }
}
