/**
 * The whole model on one page: tokens of text → tokens of speech → mel → samples, segment by segment.
 */
import { joinSamples } from "./audio/join.js";
import { waysOf } from "./compat.js";
import type { Config } from "./config.js";
import { InputError } from "./errors.js";
import type { Flow } from "./flow/flow.js";
import { requireFinite } from "./gpu/finite.js";
import type { Generated } from "./lm/generate.js";
import type { LanguageModel } from "./lm/lm.js";
import type { Prepared } from "./prepare.js";
import type { SpeakOptions, Speech, SpokenSegment } from "./speech.js";
import type { IncomingSegment } from "./text/incoming.js";
import type { Segment } from "./text/text.js";
import { changeSpeed } from "./vocoder/streaming.js";
import type { Vocoder } from "./vocoder/vocoder.js";
import type { Mode, Prompted } from "./voice.js";
import { cutSegments, shortTexts } from "./warnings.js";

/** At the end of one segment and the start of the next the sound swells and fades for this long, so that no step is heard. */
const JOIN_SECONDS = 0.003;

/** The voice that speaks, what of it is used, and what it says. */
export interface Speaking extends Prepared<readonly Segment[] | AsyncIterable<IncomingSegment>> {
  readonly voice: string;
  readonly mode: Mode;
}

/** The parts of a model that make sound. */
export interface Stages {
  readonly lm: LanguageModel;
  readonly flow: Flow;
  readonly vocoder: Vocoder;
}

export class Synthesis {
  constructor(
    private readonly stages: Stages,
    private readonly config: Config,
  ) {}

  /**
   * @param text milliseconds that making the segments took
   * @throws InputError for a voice after which nothing can be spoken, CancelledError when the signal fires, DeviceError when the GPU fails
   */
  async speak(
    { voice, mode, segments, prompted, transcript, warnings }: Speaking,
    options: SpeakOptions,
    text: number,
  ): Promise<Speech> {
    const begun = performance.now();
    this.requireRoom(voice, prompted);
    const { sampleRate } = this.config;
    const times = { text, lmPrefill: 0, lmDecode: 0, flow: 0, vocoder: 0 };
    const spoken: (SpokenSegment & { readonly audio: Float32Array })[] = [];
    let dispatchesPerToken = 0;
    let lmSubmits = 0;
    let arriving: IncomingSegment | undefined;
    let at = 0;
    const total = "length" in segments ? segments.length : Number.POSITIVE_INFINITY;
    const report = (what: string, part: number) => {
      const far = Number.isFinite(total) ? "" : `, ${(at / sampleRate).toFixed(1)} s of speech so far`;
      options.onProgress?.({ what: `${what}${far}`, done: spoken.length + part, total });
    };
    if (!("length" in segments)) report("waiting for text", 0);
    for await (const segment of segments) {
      const index = spoken.length;
      const { tokens, stop, stats } =
        "waitedMs" in segment
          ? await this.tokensOfStream(segment, index, prompted, options, report)
          : await this.tokensOf(segment, index, prompted, options, report);
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
      const textTokens = "waitedMs" in segment ? segment.textTokens : segment.ids.length;
      if ("waitedMs" in segment) arriving = segment;
      at += audio.length;
      spoken.push({ text: segment.text, textTokens, tokens: tokens.length, stop, samples: audio.length, audio });
      report(Number.isFinite(total) ? "done" : "waiting for text", 0);
    }
    if (spoken.length === 0) throw new InputError("text: nothing came that can be spoken; give at least one word");
    // Behind the last segment the end of the text was waited for.
    const waited = arriving?.waitedMs ?? 0;
    return {
      voice,
      mode,
      samples: joinSamples(
        spoken.map(({ audio }) => audio),
        Math.round(JOIN_SECONDS * sampleRate),
      ),
      sampleRate,
      tokens: spoken.reduce((sum, { tokens }) => sum + tokens, 0),
      stop: spoken.find(({ stop }) => stop !== "eos")?.stop ?? "eos",
      segments: spoken.map(({ audio: _, ...segment }) => segment),
      warnings: [...shortTexts(spoken, transcript), ...warnings, ...cutSegments(spoken)],
      timings: { ...times, total: text + performance.now() - begun - waited },
      dispatchesPerToken,
      lmSubmits,
    };
  }

  /** Most tokens of a segment: more than the flow has noise for could not be heard. */
  private room({ promptToken }: Prompted): number {
    const { noiseFrames } = this.stages.flow.config.solver;
    return Math.floor(noiseFrames / this.config.tokenMelRatio) - promptToken.length;
  }

  private requireRoom(voice: string, prompted: Prompted): void {
    const room = this.room(prompted);
    if (room > 0) return;
    const { length } = prompted.promptToken;
    throw new InputError(
      `voice ${JSON.stringify(voice)}: its recording has ${length} speech tokens, and with ${length + room} or more the flow has no room for speech; make the voice of a recording of 3 to 10 s`,
    );
  }

  /** Whole or arriving, a segment has the same before it, and draws from a stream of its own. */
  private requestOf(
    index: number,
    { promptTextIds, promptSpeechIds }: Prompted,
    { seed = 0, greedy = false, signal }: SpeakOptions,
  ) {
    const cancel = signal ? { signal } : {};
    return { promptTextIds, promptSpeechIds, seed, stream: `lm ${index}`, greedy, ...cancel };
  }

  /** Text ids → speech ids. */
  private tokensOf(
    { ids: textIds }: Segment,
    index: number,
    prompted: Prompted,
    options: SpeakOptions,
    report: (what: string, part: number) => void,
  ): Promise<Generated> {
    const maxLen = this.room(prompted);
    const most = Math.min(maxLen, textIds.length * this.stages.lm.config.maxRatio);
    let count = 0;
    report("language model", 0);
    return this.stages.lm.generate({
      ...this.requestOf(index, prompted, options),
      textIds,
      maxLen,
      compatOfficial: !waysOf(options.compat).everyStopMasked,
      onTokens: (tokens) => {
        count += tokens.length;
        report("language model", (0.5 * count) / most);
      },
    });
  }

  /** The same for ids that are still to come. Waiting for them is not the language model's time. */
  private async tokensOfStream(
    segment: IncomingSegment,
    index: number,
    prompted: Prompted,
    options: SpeakOptions,
    report: (what: string, part: number) => void,
  ): Promise<Generated> {
    const room = this.room(prompted);
    const tokens: number[] = [];
    const waitedBefore = segment.waitedMs;
    const begun = performance.now();
    const worked = () => performance.now() - begun - (segment.waitedMs - waitedBefore);
    let prefillMs: number | undefined;
    report("language model", 0);
    const stream = this.stages.lm.generateStream({
      ...this.requestOf(index, prompted, options),
      text: segment.ids,
      compatOfficial: !waysOf(options.compat).streamedTextWhole,
    });
    for (;;) {
      const { value, done } = await stream.next();
      if (done) {
        const { stop, dispatchesPerToken, submits } = value;
        const first = prefillMs ?? worked();
        const stats = {
          prefillMs: first,
          decodeMs: worked() - first,
          dispatchesPerToken,
          submits,
          tokens: tokens.length,
        };
        return { tokens: Int32Array.from(tokens.slice(0, room)), stop: tokens.length > room ? "length" : stop, stats };
      }
      prefillMs ??= worked();
      tokens.push(...value);
      report(`language model, ${tokens.length} tokens`, 0.3);
    }
  }

  /** Speech ids [S] → mel [M, melBins], stretched in time when the speed is not 1. */
  async melOf(
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
  async samplesOf(mel: Float32Array, firstSample: number, options: SpeakOptions): Promise<Float32Array<ArrayBuffer>> {
    const { seed = 0, sourceNoise = true, signal } = options;
    const input = { mel, seed, sourceNoise, firstSample, ...(signal ? { signal } : {}) };
    const { f0, samples } = await this.stages.vocoder.run(input);
    requireFinite("pitch", f0);
    requireFinite("samples", samples);
    return samples;
  }
}
