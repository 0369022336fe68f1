/** The stages of one model on one device, loaded when first asked for and shared between cases. */
import type { Model } from "../checkpoint/model.js";
import type { Component } from "../config.js";
import { Flow } from "../flow/flow.js";
import type { Device } from "../gpu/device.js";
import { LanguageModel } from "../lm/lm.js";
import { SpeakerEncoder } from "../speaker/speakerEncoder.js";
import { SpeechTokenizer } from "../speechTokenizer/speechTokenizer.js";
import { Vocoder } from "../vocoder/vocoder.js";

export class Engine {
  private loadedLm: LanguageModel | undefined;
  private loadedFlow: Flow | undefined;
  private loadedVocoder: Vocoder | undefined;
  private loadedTokenizer: SpeechTokenizer | undefined;
  private loadedSpeaker: SpeakerEncoder | undefined;

  constructor(
    readonly device: Device,
    readonly model: Model,
  ) {}

  async lm(): Promise<LanguageModel> {
    this.loadedLm ??= await LanguageModel.load(this.device, this.model);
    return this.loadedLm;
  }

  async flow(): Promise<Flow> {
    this.loadedFlow ??= await Flow.load(this.device, this.model);
    return this.loadedFlow;
  }

  async vocoder(): Promise<Vocoder> {
    this.loadedVocoder ??= await Vocoder.load(this.device, this.model);
    return this.loadedVocoder;
  }

  async speechTokenizer(): Promise<SpeechTokenizer> {
    this.loadedTokenizer ??= await SpeechTokenizer.load(this.device, this.model);
    return this.loadedTokenizer;
  }

  async speaker(): Promise<SpeakerEncoder> {
    this.loadedSpeaker ??= await SpeakerEncoder.load(this.device, this.model);
    return this.loadedSpeaker;
  }

  /** Frees the stages that nothing asks for any more. */
  keepOnly(components: ReadonlySet<Component>): void {
    if (!components.has("lm")) {
      this.loadedLm?.destroy();
      this.loadedLm = undefined;
    }
    if (!components.has("flow")) {
      this.loadedFlow?.destroy();
      this.loadedFlow = undefined;
    }
    if (!components.has("vocoder")) {
      this.loadedVocoder?.destroy();
      this.loadedVocoder = undefined;
    }
    if (!components.has("speechTokenizer")) {
      this.loadedTokenizer?.destroy();
      this.loadedTokenizer = undefined;
    }
    if (!components.has("speaker")) {
      this.loadedSpeaker?.destroy();
      this.loadedSpeaker = undefined;
    }
  }

  destroy(): void {
    this.keepOnly(new Set());
  }
}
