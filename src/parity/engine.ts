/** The stages of one model on one device, loaded when first asked for and shared between cases. */
import type { Model } from "../checkpoint/model.js";
import type { Component } from "../config.js";
import { Flow } from "../flow/flow.js";
import type { Device } from "../gpu/device.js";
import { LanguageModel } from "../lm/lm.js";
import { Vocoder } from "../vocoder/vocoder.js";

export class Engine {
  private loadedLm: LanguageModel | undefined;
  private loadedFlow: Flow | undefined;
  private loadedVocoder: Vocoder | undefined;

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
  }

  destroy(): void {
    this.keepOnly(new Set());
  }
}
