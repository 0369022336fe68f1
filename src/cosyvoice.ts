/** The model as an object: opened once, it speaks, listens and converts, one call after the other. */
import { findAdapter, openFolder, openGrammars, packagedVoice } from "#platform";
import type { Sound } from "./audio/readWav.js";
import { type Model, openModel, type WeightDtype } from "./checkpoint/model.js";
import { type OnRead, watchedModel } from "./checkpoint/watched.js";
import { codebookOf } from "./codebook.js";
import type { Component, Config } from "./config.js";
import { checkCancelled, FileError, InputError } from "./errors.js";
import { Flow } from "./flow/flow.js";
import { type AdapterReportData, reportAdapter } from "./gpu/adapterReport.js";
import { Device } from "./gpu/device.js";
import { LISTEN_OPTIONS, Listener, type ListenOptions } from "./listen.js";
import { LanguageModel } from "./lm/lm.js";
import type { ModelSource } from "./modelSource.js";
import { checkChoice, checkNames } from "./options.js";
import { prepare, prepareConversion, prepareStream, type Reader } from "./prepare.js";
import {
  type ConvertOptions,
  checkConversion,
  checkRequest,
  type Progress,
  type SpeakOptions,
  type Speech,
} from "./speech.js";
import { Synthesis } from "./synthesis.js";
import { Wetext } from "./text/wetext/wetext.js";
import { tokenizerOf } from "./tokenizerOf.js";
import { Vocoder } from "./vocoder/vocoder.js";
import { modeOf, type Voice, voiceOf } from "./voice.js";
import { foreignTokens } from "./warnings.js";

export interface LoadOptions {
  /** Name of a GPU adapter as `cosyvoice doctor` lists it. Default: the best there is. */
  readonly adapter?: string;
  /** How matrices are kept on the GPU. Default: as the folder holds them; f32 for an official release. */
  readonly dtype?: WeightDtype;
  /** The voice that speaks when a call names none; default the first. An unknown one is refused before the GPU is touched. */
  readonly voice?: string;
  /** Where the grammars of the text normaliser lie, instead of in the program: a copy of `weights/wetext`. */
  readonly grammars?: ModelSource;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

const LOAD_OPTIONS = {
  ...{ adapter: true, dtype: true, voice: true, grammars: true, signal: true, onProgress: true },
} as const satisfies Record<keyof LoadOptions, true>;

/** Names of the model's parts, in the order in which sound is made. */
const NEEDED = ["lm", "flow", "vocoder"] as const;

const STAGE_NAMES: Partial<Record<Component, string>> = { lm: "language model" };

export class CosyVoice {
  /** The last call's end; the next one waits for it, since all share one GPU. */
  private queue: Promise<unknown> = Promise.resolve();
  private hearing: Promise<Listener> | undefined;

  private constructor(
    private readonly device: Device,
    private readonly reader: Reader,
    private readonly synthesis: Synthesis,
    private readonly known: ReadonlyMap<string, Voice>,
    /** Speaks when a call names no other. */
    private readonly voice: string | undefined,
    /** Opens the model again, for the networks that hear. */
    private readonly reopen: () => Promise<Model>,
    readonly config: Config,
    readonly dtype: WeightDtype,
    readonly adapter: AdapterReportData,
    /** What of the model cannot be used, or was chosen where its files leave a choice; a line each. */
    readonly warnings: readonly string[],
  ) {}

  /**
   * Opens a model folder, or an official release, and puts it on a GPU.
   * @param source default: the English voice in this package; a page, which may go without those 15 MB, is asked to name it
   * @throws InputError for a source or an option that cannot be used, FileError for a bad folder, DeviceError without a usable GPU, CancelledError when the signal fires.
   */
  static async load(source: ModelSource = packagedVoice(), options: LoadOptions = {}): Promise<CosyVoice> {
    checkNames("load", options, LOAD_OPTIONS);
    const { adapter: name, dtype, voice, grammars, signal, onProgress } = options;
    checkChoice("dtype", dtype, ["f32", "f16"]);
    const open = async () => openModel(await openFolder(source), dtype ? { dtype } : {});
    const model = await open();
    let device: Device | undefined;
    try {
      const missing = NEEDED.filter((component) => !model.components.includes(component));
      if (missing.length > 0) {
        throw new FileError(
          `${model.name}: to speak, a model needs lm, flow and vocoder; it has no ${missing.join(", no ")}`,
        );
      }
      const known = await readVoices(model);
      if (voice !== undefined) {
        const damaged = model.damaged.get(voice);
        if (damaged) throw damaged;
        chooseVoice(known, voice);
      }
      const tokenizer = await tokenizerOf(model);
      const adapter = await findAdapter(name);
      const opened = await Device.open(adapter);
      device = opened;
      const watched = watchedModel(model, loadingProgress(model, signal, onProgress));
      const lm = await LanguageModel.load(opened, watched);
      const flow = await Flow.load(opened, watched);
      const vocoder = await Vocoder.load(opened, watched);
      checkCancelled(signal, "loading");
      const { config } = model;
      const synthesis = new Synthesis({ lm, flow, vocoder }, config);
      const wetext = new Wetext(() => (grammars === undefined ? openGrammars() : openFolder(grammars)));
      const reader = { tokenizer, wetext, config, codebook: await codebookOf(model) };
      const { warnings } = model;
      const report = reportAdapter(adapter);
      return new CosyVoice(opened, reader, synthesis, known, voice, open, config, model.dtype, report, warnings);
    } catch (error) {
      device?.destroy();
      throw error;
    } finally {
      await model.close();
    }
  }

  /** Names of the voices that can speak. */
  get voices(): readonly string[] {
    return [...this.known.keys()];
  }

  /** Samples per second of what `speak` gives. */
  get sampleRate(): number {
    return this.config.sampleRate;
  }

  /** Bytes of GPU memory now and at most, buffers, and pipelines built. */
  get memory(): { readonly live: number; readonly peak: number; readonly buffers: number; readonly pipelines: number } {
    return { ...this.device.memory, pipelines: this.device.pipelineCount };
  }

  /**
   * Speaks a text: a whole one, or one that arrives bit by bit, which is spoken while it comes, sentence by sentence (with
   * normalizer "none" word by word, unchanged). Calls made at once run one after the other and give the same samples as that.
   * @throws InputError for a text, voice or option that cannot be used, CancelledError when the signal fires, DeviceError when the
   * GPU fails. Whatever happens, everything the call held on the GPU is freed.
   */
  async speak(text: string | AsyncIterable<string>, options: SpeakOptions = {}): Promise<Speech> {
    const begun = performance.now();
    checkCancelled(options.signal, "speaking");
    checkRequest(text, options);
    const voice = this.voiceOf(options.voice);
    const mode = modeOf(voice, options, this.config.speaks?.modes);
    const preparing =
      typeof text === "string"
        ? prepare(text, voice, mode, options, this.reader)
        : prepareStream(text, voice, mode, options, this.reader);
    const prepared = preparing.then((ready) => ({ ...ready, ms: performance.now() - begun }));
    // A text that cannot be spoken is refused at once; the next call waits for those before it all the same.
    return this.inTurn(prepared, ({ ms, ...ready }) =>
      this.synthesis.speak({ voice: voice.name, mode, ...ready }, options, ms),
    );
  }

  /**
   * Makes a voice of a recording of 3 to 10 seconds.
   * @throws InputError for a recording or an option that cannot be used, FileError when the model cannot hear
   */
  async listen(sound: Sound, options: ListenOptions): Promise<Voice> {
    checkNames("listen", options, LISTEN_OPTIONS);
    return this.inTurn(this.listener(), (listener) => listener.voice(sound, options));
  }

  /**
   * Speaks a recording again in another voice: its words, rhythm and melody, the voice's timbre.
   * @throws InputError for a recording, voice or option that cannot be used, FileError when the model has no speech tokenizer
   */
  async convert(sound: Sound, options: ConvertOptions = {}): Promise<Speech> {
    checkConversion(options);
    const { name = "source", signal, onProgress } = options;
    const voice = this.voiceOf(options.voice);
    return this.inTurn(this.listener(), async (listener) => {
      const begun = performance.now();
      const report = (what: string, done: number) => onProgress?.({ what, done, total: 1 });
      report("speech tokenizer", 0);
      const tokens = await listener.tokens(sound, name, signal);
      const flowStart = performance.now();
      const prompted = prepareConversion(voice, options, this.config);
      const mel = await this.synthesis.melOf(tokens, prompted, options, (done, total) =>
        report("flow", 0.1 + (0.7 * done) / total),
      );
      const vocoderStart = performance.now();
      const samples = await this.synthesis.samplesOf(mel, 0, options);
      const end = performance.now();
      report("done", 1);
      return {
        voice: voice.name,
        mode: "vc",
        samples,
        sampleRate: this.sampleRate,
        tokens: tokens.length,
        stop: "eos",
        segments: [],
        warnings: [...(sound.warnings ?? []), ...(voice.warnings ?? []), ...foreignTokens(voice, this.reader.codebook)],
        timings: {
          text: 0,
          lmPrefill: 0,
          lmDecode: 0,
          flow: vocoderStart - flowStart,
          vocoder: end - vocoderStart,
          total: end - begun,
        },
        dispatchesPerToken: 0,
        lmSubmits: 0,
      };
    });
  }

  /** Frees everything on the GPU. Afterwards the object cannot be used. */
  destroy(): void {
    this.device.destroy();
  }

  private voiceOf(voice: string | Voice = this.voice ?? ""): Voice {
    return typeof voice === "string" ? chooseVoice(this.known, voice || undefined) : voice;
  }

  /** Calls share one GPU: `work` begins when the calls before it have ended. */
  private inTurn<T, R>(prepared: Promise<T>, work: (ready: T) => Promise<R>): Promise<R> {
    const before = this.queue;
    const turn = Promise.all([prepared, before]).then(([ready]) => work(ready));
    this.queue = Promise.allSettled([before, turn]);
    return turn;
  }

  /** The networks that hear are loaded when first needed. */
  private listener(): Promise<Listener> {
    this.hearing ??= (async () => {
      const model = await this.reopen();
      try {
        return await Listener.load(this.device, model);
      } finally {
        await model.close();
      }
    })();
    this.hearing.catch(() => {
      this.hearing = undefined;
    });
    return this.hearing;
  }
}

/** @throws InputError naming the voices there are. */
function chooseVoice(known: ReadonlyMap<string, Voice>, name = [...known.keys()][0]): Voice {
  if (name === undefined) {
    throw new InputError(
      "the model has no voice to speak with; give a recording, or add a speaker to spk2info.pt beside its weights and convert it again",
    );
  }
  const voice = known.get(name);
  if (voice) return voice;
  const names = [...known.keys()].map((one) => JSON.stringify(one)).join(", ");
  throw new InputError(`voice ${JSON.stringify(name)} is unknown; the model has ${names || "none"}`);
}

async function readVoices(model: Model): Promise<Map<string, Voice>> {
  const { flow } = model.config;
  const voices = new Map<string, Voice>();
  if (!flow) return voices;
  for (const name of model.voices) {
    voices.set(name, voiceOf(name, await model.voice(name), flow, model.name));
  }
  return voices;
}

/** Reports the share of the model's values that were read, and stops between two reads when the signal has fired. */
function loadingProgress(model: Model, signal: AbortSignal | undefined, onProgress: LoadOptions["onProgress"]): OnRead {
  const sources = NEEDED.map((component) => model.tensors(component));
  const total = sources
    .flatMap((source) => source.names().map((name) => source.info(name).elements))
    .reduce((a, b) => a + b, 0);
  let done = 0;
  return (component, values) => {
    checkCancelled(signal, "loading");
    done = Math.min(total, done + values);
    onProgress?.({ what: `loading ${STAGE_NAMES[component] ?? component}`, done, total });
  };
}
