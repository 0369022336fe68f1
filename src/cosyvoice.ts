/**
 * The whole model on one page: text → tokens of text → tokens of speech → mel → samples.
 */
import { type FolderSource, findAdapter, openFolder, openGrammars } from "#platform";
import { joinSamples } from "./audio/join.js";
import type { Sound } from "./audio/readWav.js";
import { type Model, openModel, type WeightDtype } from "./checkpoint/model.js";
import { type OnRead, watchedModel } from "./checkpoint/watched.js";
import type { Component, Config } from "./config.js";
import { checkCancelled, FileError, InputError } from "./errors.js";
import { Flow } from "./flow/flow.js";
import { type AdapterReportData, reportAdapter } from "./gpu/adapterReport.js";
import { Device } from "./gpu/device.js";
import { requireFinite } from "./gpu/finite.js";
import { Listener, type ListenOptions } from "./listen.js";
import type { Generated } from "./lm/generate.js";
import { LanguageModel } from "./lm/lm.js";
import {
  type ConvertOptions,
  checkRequest,
  type Progress,
  type SpeakOptions,
  type Speech,
  type SpokenSegment,
} from "./speech.js";
import { normalize } from "./text/normalize.js";
import { prepareText, type Segment } from "./text/text.js";
import type { Tokenizer } from "./text/tokenizer.js";
import { Wetext } from "./text/wetext/wetext.js";
import { tokenizerOf } from "./tokenizerOf.js";
import { changeSpeed } from "./vocoder/streaming.js";
import { Vocoder } from "./vocoder/vocoder.js";
import { END_OF_PROMPT, type Mode, modeOf, type Prompted, promptedBy, type Voice, voiceOf } from "./voice.js";

/** Where a model is: a folder's path in Node; its address or the files of a picked folder in a browser. */
export type ModelSource = FolderSource;

export interface LoadOptions {
  /** Name of a GPU adapter as `cosyvoice doctor` lists it. Default: the best there is. */
  readonly adapter?: string;
  /** How matrices are kept on the GPU. Default: as the folder holds them; f32 for an official release. */
  readonly dtype?: WeightDtype;
  /** The voice that speaks when a call names none; default the first. An unknown one is refused before the GPU is touched. */
  readonly voice?: string;
  /** Where the grammars of the text normaliser lie, for a page whose bundler leaves them out: a copy of `weights/wetext`. */
  readonly grammars?: ModelSource;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** Names of the model's parts, in the order in which sound is made. */
const NEEDED = ["lm", "flow", "vocoder"] as const;

const STAGE_NAMES: Partial<Record<Component, string>> = { lm: "language model" };

/** At the end of one segment and the start of the next the sound swells and fades for this long, so that no step is heard. */
const JOIN_SECONDS = 0.003;

interface Stages {
  readonly tokenizer: Tokenizer;
  readonly lm: LanguageModel;
  readonly flow: Flow;
  readonly vocoder: Vocoder;
}

export class CosyVoice {
  /** The last call's end; the next one waits for it, since all share one GPU. */
  private queue: Promise<unknown> = Promise.resolve();
  private hearing: Promise<Listener> | undefined;

  private constructor(
    private readonly device: Device,
    private readonly stages: Stages,
    private readonly wetext: Wetext,
    private readonly known: ReadonlyMap<string, Voice>,
    /** Speaks when a call names no other. */
    private readonly voice: string | undefined,
    /** Opens the model again, for the networks that hear. */
    private readonly reopen: () => Promise<Model>,
    readonly config: Config,
    readonly dtype: WeightDtype,
    readonly adapter: AdapterReportData,
  ) {}

  /**
   * Opens a model folder, or an official release, and puts it on a GPU.
   * @throws FileError for a bad folder, DeviceError without a usable GPU, CancelledError when the signal fires.
   */
  static async load(source: ModelSource, options: LoadOptions = {}): Promise<CosyVoice> {
    const { adapter: name, dtype, voice, grammars, signal, onProgress } = options;
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
      if (voice !== undefined) chooseVoice(known, voice);
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
      const stages = { tokenizer, lm, flow, vocoder };
      const wetext = new Wetext(() => (grammars === undefined ? openGrammars() : openFolder(grammars)));
      return new CosyVoice(opened, stages, wetext, known, voice, open, config, model.dtype, reportAdapter(adapter));
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
   * Speaks a text. Calls made at once run one after the other and give the same samples as that.
   * @throws InputError for a text, voice or option that cannot be used, CancelledError when the signal fires, DeviceError when the
   * GPU fails. Whatever happens, everything the call held on the GPU is freed.
   */
  async speak(text: string, options: SpeakOptions = {}): Promise<Speech> {
    const begun = performance.now();
    checkCancelled(options.signal, "speaking");
    checkRequest(text, options);
    const voice = this.voiceOf(options.voice);
    const mode = modeOf(voice, options);
    const prepared = this.prepare(text, voice, mode, options).then((ready) => ({
      ...ready,
      ms: performance.now() - begun,
    }));
    // A text that cannot be spoken is refused at once; the next call waits for those before it all the same.
    return this.inTurn(prepared, ({ segments, prompted, ms }) =>
      this.speakSegments(segments, { name: voice.name, mode, prompted }, options, ms),
    );
  }

  /**
   * Makes a voice of a recording of 3 to 10 seconds.
   * @throws InputError for a recording that cannot be used, FileError when the model cannot hear
   */
  async listen(sound: Sound, options: ListenOptions): Promise<Voice> {
    return this.inTurn(this.listener(), (listener) => listener.voice(sound, options));
  }

  /**
   * Speaks a recording again in another voice: its words, rhythm and melody, the voice's timbre.
   * @throws InputError for a recording or voice that cannot be used
   */
  async convert(sound: Sound, options: ConvertOptions = {}): Promise<Speech> {
    const { name = "source", signal, onProgress } = options;
    const voice = this.voiceOf(options.voice);
    return this.inTurn(this.listener(), async (listener) => {
      const begun = performance.now();
      const report = (what: string, done: number) => onProgress?.({ what, done, total: 1 });
      report("speech tokenizer", 0);
      const tokens = await listener.tokens(sound, name, signal);
      const flowStart = performance.now();
      const prompted = promptedBy(voice, voice.prompt ? "cross-lingual" : "sft", []);
      const mel = await this.melOf(tokens, prompted, options, (done, total) =>
        report("flow", 0.1 + (0.7 * done) / total),
      );
      const vocoderStart = performance.now();
      const samples = await this.samplesOf(mel, 0, options);
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

  /** The text's segments, and what the voice gives in this mode. */
  private async prepare(
    text: string,
    voice: Voice,
    mode: Mode,
    options: SpeakOptions,
  ): Promise<{ segments: Segment[]; prompted: Prompted }> {
    const { tokenizer } = this.stages;
    const normalizerFor = async (words: string) =>
      options.normalizer === "none" ? "none" : await this.wetext.normalizerFor(words);
    const segments = prepareText(text, { tokenizer, normalizer: await normalizerFor(text) });
    const { transcript, transcriptIds = [] } = voice.prompt ?? {};
    let before = mode === "zero-shot" ? transcript : undefined;
    if (mode === "instruct" && options.instruct !== undefined) {
      const instruction = options.instruct.trim();
      before = instruction.includes(END_OF_PROMPT) ? instruction : `${instruction}${END_OF_PROMPT}`;
    }
    if (before === undefined) return { segments, prompted: promptedBy(voice, mode, transcriptIds) };
    const words = normalize(before, { tokenizer, normalizer: await normalizerFor(before), split: false });
    return { segments, prompted: promptedBy(voice, mode, tokenizer.encode(words)) };
  }

  private async speakSegments(
    segments: readonly Segment[],
    { name: voice, mode, prompted }: { name: string; mode: Mode; prompted: Prompted },
    options: SpeakOptions,
    text: number,
  ): Promise<Speech> {
    const begun = performance.now();
    const times = { text, lmPrefill: 0, lmDecode: 0, flow: 0, vocoder: 0 };
    const spoken: (SpokenSegment & { readonly audio: Float32Array })[] = [];
    let dispatchesPerToken = 0;
    let lmSubmits = 0;
    let at = 0;
    for (const [index, segment] of segments.entries()) {
      const report = (what: string, part: number) =>
        options.onProgress?.({ what, done: index + part, total: segments.length });
      const { tokens, stop, stats } = await this.tokensOf(segment, index, prompted, options, report);
      times.lmPrefill += stats.prefillMs;
      times.lmDecode += stats.decodeMs;
      dispatchesPerToken ||= stats.dispatchesPerToken;
      lmSubmits += stats.submits;

      const flowStart = performance.now();
      const onStep = (done: number, total: number) => report("flow", 0.5 + (0.3 * done) / total);
      const mel = tokens.length > 0 ? await this.melOf(tokens, prompted, options, onStep) : new Float32Array();
      const vocoderStart = performance.now();
      report("vocoder", 0.8);
      const audio = mel.length > 0 ? await this.samplesOf(mel, at, options) : new Float32Array();
      times.flow += vocoderStart - flowStart;
      times.vocoder += performance.now() - vocoderStart;
      report("done", 1);

      at += audio.length;
      const { length: textTokens } = segment.ids;
      spoken.push({ text: segment.text, textTokens, tokens: tokens.length, stop, samples: audio.length, audio });
    }
    return {
      voice,
      mode,
      samples: joinSamples(
        spoken.map(({ audio }) => audio),
        Math.round(JOIN_SECONDS * this.sampleRate),
      ),
      sampleRate: this.sampleRate,
      tokens: spoken.reduce((sum, { tokens }) => sum + tokens, 0),
      stop: spoken.find(({ stop }) => stop !== "eos")?.stop ?? "eos",
      segments: spoken.map(({ audio: _, ...segment }) => segment),
      timings: { ...times, total: text + performance.now() - begun },
      dispatchesPerToken,
      lmSubmits,
    };
  }

  /** Text ids → speech ids. Every segment draws from a stream of its own. */
  private tokensOf(
    segment: Segment,
    index: number,
    { promptTextIds, promptSpeechIds, promptToken }: Prompted,
    { seed = 0, greedy = false, signal }: SpeakOptions,
    report: (what: string, part: number) => void,
  ): Promise<Generated> {
    // More tokens than the flow has noise for could not be heard.
    const room = Math.floor(this.stages.flow.config.solver.noiseFrames / this.config.tokenMelRatio);
    const maxLen = room - promptToken.length;
    const most = Math.min(maxLen, segment.ids.length * this.stages.lm.config.maxRatio);
    let count = 0;
    report("language model", 0);
    return this.stages.lm.generate({
      promptTextIds,
      textIds: segment.ids,
      promptSpeechIds,
      seed,
      stream: `lm ${index}`,
      greedy,
      maxLen,
      ...(signal ? { signal } : {}),
      onTokens: (tokens) => {
        count += tokens.length;
        report("language model", (0.5 * count) / most);
      },
    });
  }

  /** Speech ids [S] → mel [M, melBins], stretched in time when the speed is not 1. */
  private async melOf(
    token: Int32Array,
    { promptToken, promptFeat, embedding }: Prompted,
    { speed = 1, signal }: SpeakOptions,
    onStep: (done: number, total: number) => void,
  ): Promise<Float32Array> {
    const { flow } = this.stages;
    const { mel } = await flow.run({
      token,
      promptToken,
      promptFeat,
      embedding,
      streaming: false,
      finalize: true,
      onStep,
      ...(signal ? { signal } : {}),
    });
    requireFinite("mel", mel);
    return speed === 1 ? mel : changeSpeed(mel, flow.config, speed);
  }

  /** Mel [M, melBins] → samples. @param firstSample where they will stand in the speech */
  private async samplesOf(mel: Float32Array, firstSample: number, options: SpeakOptions): Promise<Float32Array> {
    const { seed = 0, sourceNoise = true, signal } = options;
    const input = { mel, seed, sourceNoise, firstSample, ...(signal ? { signal } : {}) };
    const { f0, samples } = await this.stages.vocoder.run(input);
    requireFinite("pitch", f0);
    requireFinite("samples", samples);
    return samples;
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
  const { flow, tokenMelRatio } = model.config;
  const voices = new Map<string, Voice>();
  if (!flow) return voices;
  for (const name of model.voices) {
    voices.set(name, voiceOf(name, await model.voice(name), flow, tokenMelRatio, model.name));
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
