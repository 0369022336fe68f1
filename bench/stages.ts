/** The stages and the whole of one utterance: what a listener waits for, after a first run that builds the pipelines. */
import { CosyVoice } from "../src/cosyvoice.js";
import type { ModelSource } from "../src/modelSource.js";
import type { Progress, Speech } from "../src/speech.js";

export interface StageRow {
  readonly name: string;
  readonly ms: number;
  /** What the time is divided by, and what comes out: a token, a second of audio. */
  readonly per: string;
  readonly msPer: number;
}

export interface StageReport {
  readonly text: string;
  readonly dtype: string;
  readonly audioSeconds: number;
  readonly speechTokens: number;
  readonly dispatchesPerToken: number;
  readonly submitsPerToken: number;
  readonly pipelines: number;
  readonly gpuBytesPeak: number;
  /** Time of all work over length of the audio; below 1 is faster than speech. */
  readonly realTimeFactor: number;
  /** From the call to the first samples. Speech is given whole, so that is all of it. */
  readonly timeToFirstAudioMs: number;
  /** The first run in this process, pipelines and all, over the second. */
  readonly firstRun: number;
  readonly rows: readonly StageRow[];
}

export interface StageOptions {
  readonly text: string;
  readonly adapter?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export async function benchStages(source: ModelSource, options: StageOptions): Promise<StageReport> {
  const { text, adapter, signal, onProgress } = options;
  const hooks = { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress } : {}) };
  const tts = await CosyVoice.load(source, { ...(adapter !== undefined ? { adapter } : {}), ...hooks });
  try {
    const first = await tts.speak(text, hooks);
    const second = await tts.speak(text, hooks);
    return report(text, tts, first, second);
  } finally {
    tts.destroy();
  }
}

function report(text: string, tts: CosyVoice, first: Speech, { timings, tokens, ...speech }: Speech): StageReport {
  const audioSeconds = speech.samples.length / speech.sampleRate;
  const row = (name: string, ms: number, per: string, count: number): StageRow => ({
    name,
    ms,
    per,
    msPer: count > 0 ? ms / count : 0,
  });
  return {
    text,
    dtype: tts.dtype,
    audioSeconds,
    speechTokens: tokens,
    dispatchesPerToken: speech.dispatchesPerToken,
    submitsPerToken: tokens > 0 ? speech.lmSubmits / tokens : 0,
    pipelines: tts.memory.pipelines,
    gpuBytesPeak: tts.memory.peak,
    realTimeFactor: audioSeconds > 0 ? timings.total / 1000 / audioSeconds : 0,
    timeToFirstAudioMs: timings.total,
    firstRun: first.timings.total / timings.total,
    rows: [
      row("text", timings.text, "segment", speech.segments.length),
      row("language model, prompt", timings.lmPrefill, "segment", speech.segments.length),
      row("language model, decode", timings.lmDecode, "token", tokens),
      row("flow", timings.flow, "s of audio", audioSeconds),
      row("vocoder", timings.vocoder, "s of audio", audioSeconds),
      row("all", timings.total, "s of audio", audioSeconds),
    ],
  };
}
