/**
 * The whole model on one page: text → tokens of text → tokens of speech → mel → samples.
 */
import { type FolderSource, findAdapter, openFolder, openGrammars } from "#platform";
import { joinSamples } from "./audio/join.js";
import { type Model, openModel, type WeightDtype } from "./checkpoint/model.js";
import { type OnRead, watchedModel } from "./checkpoint/watched.js";
import type { Component, Config } from "./config.js";
import { checkCancelled, FileError, InputError } from "./errors.js";
import { Flow } from "./flow/flow.js";
import { type AdapterReportData, reportAdapter } from "./gpu/adapterReport.js";
import { Device } from "./gpu/device.js";
import { requireFinite } from "./gpu/finite.js";
import type { Generated } from "./lm/generate.js";
import { LanguageModel } from "./lm/lm.js";
import { prepareText, requireWords, type Segment } from "./text/text.js";
import type { Tokenizer } from "./text/tokenizer.js";
import { Wetext } from "./text/wetext/wetext.js";
import { tokenizerOf } from "./tokenizerOf.js";
import { changeSpeed } from "./vocoder/streaming.js";
import { Vocoder } from "./vocoder/vocoder.js";

/** Where a model is: a folder's path in Node; its address or the files of a picked folder in a browser. */
export type ModelSource = FolderSource;

/** How far work has come: `done` of `total` in some unit, and what is being done now. */
export interface Progress {
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

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

export interface SpeakOptions {
  /** One of `voices`; default that of `load`. */
  readonly voice?: string;
  /** Whole number, 0 to 2⁵³ − 1; default 0. The same seed, text, voice, model and adapter give the same samples. */
  readonly seed?: number;
  /** 0.5 (half as fast) to 2; default 1. */
  readonly speed?: number;
  /** Who reads numbers, dates, money and units: the official front end's grammars (default), or nobody. */
  readonly normalizer?: "wetext" | "none";
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Take the most probable token at every step instead of drawing; mostly of use to compare engines. */
  readonly greedy?: boolean;
  /** false turns off the noise of the vocoder's harmonic source. Default true. */
  readonly sourceNoise?: boolean;
}

/** Why speech ended: the model said so ("eos"), or its greatest length was reached ("length"); the other two are rare stop ids. */
export type Stop = Generated["stop"];

export interface SpokenSegment {
  readonly text: string;
  readonly textTokens: number;
  readonly tokens: number;
  readonly stop: Stop;
  /** Length in samples. */
  readonly samples: number;
}

/** Milliseconds per stage, over all segments. */
export interface Timings {
  readonly text: number;
  /** From the request to the first speech token, and from there to the last. */
  readonly lmPrefill: number;
  readonly lmDecode: number;
  readonly flow: number;
  readonly vocoder: number;
  readonly total: number;
}

export interface Speech {
  readonly voice: string;
  /** Mono, within ±1. */
  readonly samples: Float32Array;
  readonly sampleRate: number;
  /** Speech tokens of all segments. */
  readonly tokens: number;
  /** "eos" when every segment ended by itself, else what ended the first that did not. */
  readonly stop: Stop;
  readonly segments: readonly SpokenSegment[];
  readonly timings: Timings;
  /** GPU dispatches that decoding one token takes. */
  readonly dispatchesPerToken: number;
  /** Submits to the GPU's queue that the language model took, over all segments. */
  readonly lmSubmits: number;
}

/** Characters one call takes: more than an hour of speech. */
const MAX_CHARACTERS = 50_000;

const SPEED = { least: 0.5, most: 2 };

/** Names of the model's parts, in the order in which sound is made. */
const NEEDED = ["lm", "flow", "vocoder"] as const;

const STAGE_NAMES: Partial<Record<Component, string>> = { lm: "language model" };

/** At the end of one segment and the start of the next the sound swells and fades for this long, so that no step is heard. */
const JOIN_SECONDS = 0.003;

interface Voice {
  readonly name: string;
  readonly embedding: Float32Array;
}

interface Stages {
  readonly tokenizer: Tokenizer;
  readonly lm: LanguageModel;
  readonly flow: Flow;
  readonly vocoder: Vocoder;
}

export class CosyVoice {
  /** The last call's end; the next one waits for it, since all share one GPU. */
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly device: Device,
    private readonly stages: Stages,
    private readonly wetext: Wetext,
    private readonly embeddings: Embeddings,
    /** Speaks when a call names no other. */
    private readonly voice: string | undefined,
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
    const model = await openModel(await openFolder(source), dtype ? { dtype } : {});
    let device: Device | undefined;
    try {
      const missing = NEEDED.filter((component) => !model.components.includes(component));
      if (missing.length > 0) {
        throw new FileError(
          `${model.name}: to speak, a model needs lm, flow and vocoder; it has no ${missing.join(", no ")}`,
        );
      }
      const embeddings = await readEmbeddings(model);
      if (voice !== undefined) chooseVoice(embeddings, voice);
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
      return new CosyVoice(opened, stages, wetext, embeddings, voice, config, model.dtype, reportAdapter(adapter));
    } catch (error) {
      device?.destroy();
      throw error;
    } finally {
      await model.close();
    }
  }

  /** Names of the voices that can speak. */
  get voices(): readonly string[] {
    return usable(this.embeddings);
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
    const voice = chooseVoice(this.embeddings, options.voice ?? this.voice);
    const prepared = this.segmentsOf(text, options).then((segments) => ({ segments, ms: performance.now() - begun }));
    const before = this.queue;
    // A text that cannot be spoken is refused at once; the next call waits for those before it all the same.
    const turn = Promise.all([prepared, before]).then(([{ segments, ms }]) =>
      this.speakSegments(segments, voice, options, ms),
    );
    this.queue = Promise.allSettled([before, turn]);
    return turn;
  }

  /** Frees everything on the GPU. Afterwards the object cannot be used. */
  destroy(): void {
    this.device.destroy();
  }

  private async segmentsOf(text: string, options: SpeakOptions): Promise<Segment[]> {
    const normalizer = options.normalizer === "none" ? "none" : await this.wetext.normalizerFor(text);
    return prepareText(text, { tokenizer: this.stages.tokenizer, normalizer });
  }

  private async speakSegments(
    segments: readonly Segment[],
    { name: voice, embedding }: Voice,
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
      const { tokens, stop, stats } = await this.tokensOf(segment, index, options, report);
      times.lmPrefill += stats.prefillMs;
      times.lmDecode += stats.decodeMs;
      dispatchesPerToken ||= stats.dispatchesPerToken;
      lmSubmits += stats.submits;

      const flowStart = performance.now();
      const onStep = (done: number, total: number) => report("flow", 0.5 + (0.3 * done) / total);
      const mel = tokens.length > 0 ? await this.melOf(tokens, embedding, options, onStep) : new Float32Array();
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
    { seed = 0, greedy = false, signal }: SpeakOptions,
    report: (what: string, part: number) => void,
  ): Promise<Generated> {
    // More tokens than the flow has noise for could not be heard.
    const maxLen = Math.floor(this.stages.flow.config.solver.noiseFrames / this.config.tokenMelRatio);
    const most = Math.min(maxLen, segment.ids.length * this.stages.lm.config.maxRatio);
    let count = 0;
    report("language model", 0);
    return this.stages.lm.generate({
      textIds: segment.ids,
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
    embedding: Float32Array,
    { speed = 1, signal }: SpeakOptions,
    onStep: (done: number, total: number) => void,
  ): Promise<Float32Array> {
    const { flow } = this.stages;
    const { mel } = await flow.run({
      token,
      promptToken: new Int32Array(),
      promptFeat: new Float32Array(),
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

/** What can be refused without a model. @throws InputError */
export function checkRequest(text: string, { seed = 0, speed = 1 }: SpeakOptions): void {
  // Code units are enough here: the exact count of characters is at most that.
  if (text.length > MAX_CHARACTERS) {
    throw new InputError(
      `text: it has ${text.length} characters, at most ${MAX_CHARACTERS} fit one call; speak it in parts`,
    );
  }
  requireWords(text);
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new InputError(`seed ${seed} is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  if (!(speed >= SPEED.least && speed <= SPEED.most)) {
    throw new InputError(`speed ${speed} is not between ${SPEED.least} and ${SPEED.most}`);
  }
}

type Embeddings = ReadonlyMap<string, Float32Array | undefined>;

function usable(embeddings: Embeddings): string[] {
  return [...embeddings].filter(([, embedding]) => embedding).map(([name]) => name);
}

/** @throws InputError naming the voices there are. */
function chooseVoice(embeddings: Embeddings, name = usable(embeddings)[0]): Voice {
  if (name === undefined) {
    throw new InputError(
      "the model has no voice to speak with; add one to spk2info.pt beside its weights and convert it again",
    );
  }
  const embedding = embeddings.get(name);
  if (embedding) return { name, embedding };
  const why = embeddings.has(name) ? "holds a recorded prompt, not a trained speaker" : "is unknown";
  const known = usable(embeddings)
    .map((voice) => JSON.stringify(voice))
    .join(", ");
  throw new InputError(`voice ${JSON.stringify(name)} ${why}; the model has ${known || "none that can speak"}`);
}

/** The trained speaker of every voice; undefined for one that only holds a recorded prompt. */
async function readEmbeddings(model: Model): Promise<Map<string, Float32Array | undefined>> {
  const width = model.config.flow?.speakerWidth ?? 0;
  const embeddings = new Map<string, Float32Array | undefined>();
  for (const name of model.voices) {
    const embedding = (await model.voice(name)).embedding?.data;
    if (embedding && embedding.length !== width) {
      throw new FileError(
        `${model.name}: voice ${JSON.stringify(name)} has ${embedding.length} values, the flow takes ${width}`,
      );
    }
    const wrong = embedding?.findIndex((value) => !Number.isFinite(value)) ?? -1;
    if (wrong >= 0) {
      throw new FileError(
        `${model.name}: value ${wrong} of voice ${JSON.stringify(name)} is ${embedding?.[wrong]}, no number; make the voice again`,
      );
    }
    embeddings.set(name, embedding ? Float32Array.from(embedding) : undefined);
  }
  return embeddings;
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
