/** What each stage of the contract is given and what it must reproduce. One entry per stage, in the order of the pipeline. */

import { FSQ_EDGE } from "../../kernels/fsq.js";
import { FBANK_BINS, fbank } from "../audio/fbank.js";
import { mel24k } from "../audio/mel.js";
import { resample } from "../audio/resample.js";
import { whisperMel } from "../audio/whisperMel.js";
import type { Component, Config } from "../config.js";
import { streamSpeech, type TokensToSpeak } from "../stream.js";
import type { Case } from "./bundle.js";
import type { Engine } from "./engine.js";

/** One computed tensor. */
export interface Output {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  /** For greedy ids: how far the best log-probability leads the second at every step. */
  readonly margins?: Float32Array;
  /** For ids of quantised speech: how far the nearest projected value of each token lies from the edge of a level. */
  readonly edges?: Float32Array;
}

interface StageFacts {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly needs: readonly Component[];
}

export interface Stage extends StageFacts {
  readonly run: (engine: Engine, test: Case) => Promise<Record<string, Output>>;
}

const UTTERANCE = ["token", "prompt_token", "prompt_feat", "embedding"];

const lm: Stage = {
  inputs: ["text_ids", "prompt_speech_ids", "forced_ids"],
  outputs: ["logprobs"],
  needs: ["lm"],
  async run(engine, test) {
    const model = await engine.lm();
    const forced = await test.ids("forced_ids");
    const data = await model.logprobs(await test.ids("text_ids"), await test.ids("prompt_speech_ids"), forced);
    return { logprobs: { shape: [forced.length + 1, model.config.speechRows], data } };
  },
};

const lmGreedy: Stage = {
  inputs: ["text_ids", "prompt_speech_ids", "steps"],
  outputs: ["ids"],
  needs: ["lm"],
  async run(engine, test) {
    const model = await engine.lm();
    const [text, prompt] = [await test.ids("text_ids"), await test.ids("prompt_speech_ids")];
    const { ids, margins } = await model.greedy(text, prompt, await test.number("steps"));
    return { ids: { shape: [ids.length], data: ids, margins } };
  },
};

const lmBistream: Stage = {
  inputs: ["prompt_text_ids", "text_ids", "prompt_speech_ids", "out_ids"],
  outputs: ["logprobs"],
  needs: ["lm"],
  async run(engine, test) {
    const model = await engine.lm();
    const ids = await test.ids("out_ids");
    const input = {
      promptTextIds: await test.ids("prompt_text_ids"),
      promptSpeechIds: await test.ids("prompt_speech_ids"),
      text: await test.ids("text_ids"),
      compatOfficial: true,
    };
    const data = await model.streamLogprobs(input, ids);
    return { logprobs: { shape: [ids.length, model.config.speechRows], data } };
  },
};

const nucleus: Stage = {
  inputs: ["logprobs"],
  outputs: ["ids", "probs"],
  needs: ["lm"],
  async run(engine, test) {
    const model = await engine.lm();
    const { ids, probs } = await model.nucleus(await test.floats("logprobs", [model.config.speechRows]));
    return { ids: list(ids), probs: list(probs) };
  },
};

const noise: Stage = {
  inputs: ["frames"],
  outputs: ["noise"],
  needs: ["flow"],
  async run(engine, test) {
    const flow = await engine.flow();
    const frames = await test.number("frames");
    const { melBins } = flow.config;
    return { noise: { shape: [melBins, frames], data: transposed(flow.noise(frames), frames, melBins) } };
  },
};

const flowMask: Stage = {
  inputs: ["frames", "chunk"],
  outputs: ["mask"],
  needs: ["flow"],
  async run(engine, test) {
    const flow = await engine.flow();
    const frames = await test.number("frames");
    const data = frames === 0 ? [] : await flow.mask(frames, await test.number("chunk"));
    return { mask: { shape: [frames, frames], data } };
  },
};

const flow: Stage = {
  inputs: [...UTTERANCE, "streaming", "finalize"],
  outputs: ["spks", "mu", "velocity", "mel"],
  needs: ["flow"],
  async run(engine, test) {
    const stage = await engine.flow();
    const { melBins } = stage.config;
    const input = await utterance(engine, test);
    const out = await stage.run({
      ...input,
      streaming: (await test.number("streaming")) === 1,
      finalize: (await test.number("finalize")) === 1,
      inspect: true,
    });
    const frames = out.mu.length / melBins;
    const newFrames = out.mel.length / melBins;
    const half = frames * melBins;
    const velocity = new Float32Array(2 * half);
    for (const row of [0, 1]) {
      velocity.set(transposed(out.velocity.subarray(row * half, (row + 1) * half), frames, melBins), row * half);
    }
    return {
      spks: list(out.spks),
      mu: { shape: [frames, melBins], data: out.mu },
      velocity: { shape: [2, melBins, frames], data: velocity },
      mel: { shape: [melBins, newFrames], data: transposed(out.mel, newFrames, melBins) },
    };
  },
};

const source: Stage = {
  inputs: ["f0", "phase", "noise"],
  outputs: ["source"],
  needs: ["vocoder"],
  async run(engine, test) {
    const vocoder = await engine.vocoder();
    const f0 = await test.floats("f0", [null]);
    const shape = [f0.length * vocoder.samplesPerFrame, vocoder.config.overtones + 1];
    return { source: list(vocoder.source({ f0, noise: await test.floats("noise", shape) })) };
  },
};

const vocoder: Stage = {
  inputs: ["mel", "source", "cache_source"],
  outputs: ["f0", "samples"],
  needs: ["vocoder"],
  async run(engine, test) {
    const stage = await engine.vocoder();
    const mel = await test.floats("mel", [null, stage.config.melBins]);
    const signal = await test.floats("source", [(mel.length / stage.config.melBins) * stage.samplesPerFrame]);
    const cached = await test.floats("cache_source", [null]);
    signal.set(cached.subarray(0, signal.length));
    return { f0: list(await stage.f0(mel)), samples: list(await stage.decode(mel, signal)) };
  },
};

const whole: Stage = {
  inputs: UTTERANCE,
  outputs: ["samples"],
  needs: ["flow", "vocoder"],
  async run(engine, test) {
    const input = await utterance(engine, test);
    const { mel } = await (await engine.flow()).run({ ...input, streaming: false, finalize: true });
    const { samples } = await (await engine.vocoder()).run({ mel, ...QUIET });
    return { samples: list(samples) };
  },
};

const stream: Stage = {
  inputs: UTTERANCE,
  outputs: ["chunks", "samples"],
  needs: ["flow", "vocoder"],
  async run(engine, test) {
    const input = await utterance(engine, test);
    const chunks: Float32Array[] = [];
    for await (const chunk of streamSpeech(await engine.flow(), await engine.vocoder(), input, QUIET)) {
      chunks.push(chunk);
    }
    const joined = new Float32Array(chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return { chunks: list(chunks.map(({ length }) => length)), samples: list(joined) };
  },
};

const mel: Stage = {
  inputs: ["samples"],
  outputs: ["mel"],
  needs: [],
  async run({ model: { config } }, test) {
    const data = logMel(await test.floats("samples", [null]), config);
    return { mel: { shape: [data.length / config.mel.bins, config.mel.bins], data } };
  },
};

const resampling: Stage = {
  inputs: ["samples", "from", "to"],
  outputs: ["samples_out"],
  needs: [],
  async run(_engine, test) {
    const samples = await test.floats("samples", [null]);
    return { samples_out: list(resample(samples, await test.number("from"), await test.number("to"))) };
  },
};

const whisper: Stage = {
  inputs: ["samples"],
  outputs: ["log_mel"],
  needs: [],
  async run(_engine, test) {
    const { mel, frames } = whisperMel(await test.floats("samples", [null]));
    const bins = mel.length / frames;
    return { log_mel: { shape: [bins, frames], data: transposed(mel, frames, bins) } };
  },
};

const filterbank: Stage = {
  inputs: ["samples"],
  outputs: ["fbank"],
  needs: [],
  async run(_engine, test) {
    const data = fbank(await test.floats("samples", [null]));
    return { fbank: { shape: [data.length / FBANK_BINS, FBANK_BINS], data } };
  },
};

const speechTokenizer: Stage = {
  inputs: ["samples"],
  outputs: ["hidden", "ids"],
  needs: ["speechTokenizer"],
  async run(engine, test) {
    const stage = await engine.speechTokenizer();
    const { melBins, fsqDims } = stage.config;
    const { ids, hidden } = await stage.run(whisperMel(await test.floats("samples", [null]), melBins).mel);
    const edges = new Float32Array(ids.length).fill(Number.POSITIVE_INFINITY);
    for (const [i, p] of hidden.entries()) {
      const t = Math.floor(i / fsqDims);
      edges[t] = Math.min(edges[t] as number, Math.abs(Math.abs(p) - FSQ_EDGE));
    }
    return { hidden: { shape: [ids.length, fsqDims], data: hidden }, ids: { ...list(ids), edges } };
  },
};

const speaker: Stage = {
  inputs: ["samples"],
  outputs: ["embedding"],
  needs: ["speaker"],
  async run(engine, test) {
    const stage = await engine.speaker();
    return { embedding: list(await stage.run(fbank(await test.floats("samples", [null]), stage.config.melBins))) };
  },
};

/** The Gaussian noise of the harmonic source is zero in the reference's speech. */
const QUIET = { seed: 0, sourceNoise: false };

export const STAGES: ReadonlyMap<string, Stage> = new Map([
  ["resample", resampling],
  ["mel24k", mel],
  ["whisper_mel", whisper],
  ["speech_tokenizer", speechTokenizer],
  ["fbank", filterbank],
  ["speaker", speaker],
  ["lm", lm],
  ["lm_greedy", lmGreedy],
  ["lm_bistream", lmBistream],
  ["nucleus", nucleus],
  ["noise", noise],
  ["flow_mask", flowMask],
  ["flow", flow],
  ["source", source],
  ["vocoder", vocoder],
  ["whole", whole],
  ["stream", stream],
]);

/** The features that the flow's prompt has: [M, bins]. */
export function logMel(samples: Float32Array, config: Config): Float32Array {
  return mel24k(samples, config.mel, config.sampleRate);
}

async function utterance(engine: Engine, test: Case): Promise<TokensToSpeak> {
  const { config } = await engine.flow();
  const promptToken = await test.ids("prompt_token");
  return {
    token: await test.ids("token"),
    promptToken,
    promptFeat: await test.floats("prompt_feat", [null, config.melBins]),
    embedding: await test.floats("embedding", [config.speakerWidth]),
  };
}

function list(data: ArrayLike<number>): Output {
  return { shape: [data.length], data };
}

/** [rows, cols] → [cols, rows]; the engine is channel-last, the reference channel-first. */
function transposed(data: Float32Array, rows: number, cols: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c] as number;
  return out;
}
