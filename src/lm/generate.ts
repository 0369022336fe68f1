/**
 * The loop of an utterance. Several tokens go into one submit and several submits are on their way at once; the sampler runs on the
 * GPU and sets `done` there, so what the host learns late costs some surplus steps and never a wait.
 */
import { DONE } from "../../kernels/draw.js";
import { checkCancelled, DeviceError, InputError } from "../errors.js";
import { Readback } from "./readback.js";
import type { Rules } from "./sampling.js";
import { type Backbone, BEGIN, type Piece, rowsOf, Session, TASK } from "./session.js";

export interface GenerateRequest {
  /** Ids of the prompt's transcript; they do not count for the length. */
  readonly promptTextIds?: ArrayLike<number>;
  /** Ids of the text to speak. */
  readonly textIds: ArrayLike<number>;
  readonly promptSpeechIds?: ArrayLike<number>;
  readonly seed: number;
  /** Name of the random stream; two texts spoken with one seed get two names. */
  readonly stream?: string;
  /** Take the best id instead of drawing; stop ids are masked, so it runs to the greatest length. */
  readonly greedy?: boolean;
  /** Least and most tokens per text id; the model's own ratios by default. */
  readonly minRatio?: number;
  readonly maxRatio?: number;
  /** Most tokens, whatever the text's length. */
  readonly maxLen?: number;
  /** Before the least length mask only the first stop id, as the official code does; else all three. */
  readonly compatOfficial?: boolean;
  readonly signal?: AbortSignal;
  /** Called with tokens as they arrive, in order, each once. */
  readonly onTokens?: (tokens: Int32Array) => void;
}

export interface Generated {
  readonly tokens: Int32Array;
  /** Which stop id ended it, or that the greatest length was reached. */
  readonly stop: "eos" | "reserved" | "fill" | "length";
  readonly stats: {
    /** From the call to the first token on the host, then from there to the last. */
    readonly prefillMs: number;
    readonly decodeMs: number;
    readonly dispatchesPerToken: number;
    readonly submits: number;
    readonly tokens: number;
  };
}

export interface Pace {
  readonly tokensPerSubmit: number;
  readonly submitsInFlight: number;
}

/** Why the sampler says that speech ended. */
export const STOPS: Readonly<Record<number, Generated["stop"]>> = {
  [DONE.eos]: "eos",
  [DONE.reserved]: "reserved",
  [DONE.fill]: "fill",
  [DONE.length]: "length",
};

/** Begin mark, text, task mark, speech. */
export function promptOf(textIds: ArrayLike<number>, speechIds: ArrayLike<number>): Piece[] {
  return [BEGIN, { table: "text", ids: textIds }, TASK, { table: "speech", ids: speechIds }];
}

/**
 * @throws InputError for ids the model has not or a sequence it cannot hold; CancelledError when the signal fires. Either way
 * everything the call held is freed.
 */
export async function generate(backbone: Backbone, request: GenerateRequest, pace: Pace): Promise<Generated> {
  const { device, config } = backbone;
  const { promptTextIds = [], textIds, promptSpeechIds = [], seed, signal, greedy = false } = request;
  const { minRatio = config.minRatio, maxRatio = config.maxRatio, stream = "lm" } = request;
  checkCancelled(signal, "the language model");
  const begun = performance.now();
  const prompt = promptOf([...Array.from(promptTextIds), ...Array.from(textIds)], promptSpeechIds);
  // The position table bounds the length too; texts that come near it were cut into sentences long before.
  const room = config.maxPositions - rowsOf(prompt) + 1;
  const maxLen = Math.min(Math.floor(textIds.length * maxRatio), request.maxLen ?? Number.POSITIVE_INFINITY, room);
  const minLen = Math.floor(textIds.length * minRatio);
  if (room < Math.max(1, minLen)) {
    throw new InputError(
      `${promptTextIds.length + textIds.length} text and ${promptSpeechIds.length} prompt speech ids leave ${Math.max(0, room)} of ${config.maxPositions} positions for speech, at least ${minLen} are needed; use shorter text or prompt`,
    );
  }
  if (maxLen <= 0) {
    const stats = { prefillMs: 0, decodeMs: 0, dispatchesPerToken: 0, submits: 0, tokens: 0 };
    return { tokens: new Int32Array(), stop: "length", stats };
  }

  const maskedStops = request.compatOfficial ? 1 : 3;
  const mode = greedy ? "greedy" : "sample";
  const rules: Rules = { mode, minLen, maxLen, maskedStops, seed, stream };
  const session = new Session(backbone, { positions: rowsOf(prompt) + maxLen - 1, tokens: maxLen });
  const readback = new Readback(device, session.state, session.tokens, pace.submitsInFlight, pace.tokensPerSubmit);
  try {
    const tokens = new Int32Array(maxLen);
    let received = 0;
    let firstAt = begun;
    // Token 0 comes with the prompt.
    await session.feed(prompt, 0, rules, { submitLast: (encoder) => readback.submit(encoder, 0, 1) });
    let submitted = 1;
    for (;;) {
      while (!readback.full && submitted < maxLen) {
        const count = Math.min(pace.tokensPerSubmit, maxLen - submitted);
        await session.ready(submitted - 1 + count, rules);
        checkCancelled(signal, "the language model");
        const encoder = device.gpu.createCommandEncoder({ label: "decoding" });
        for (let i = 0; i < count; i++) session.encode(encoder);
        readback.submit(encoder, submitted, count);
        submitted += count;
        session.submits++;
      }
      const { step, done, tokens: arrived } = await readback.next();
      checkCancelled(signal, "the language model");
      if (received === 0) firstAt = performance.now();
      if (done === DONE.broken) {
        throw new DeviceError(
          `token ${step}: the language model's logits are no numbers; the weights are damaged or the driver computes wrongly (try "cosyvoice doctor")`,
        );
      }
      const fresh = arrived.subarray(0, Math.min(arrived.length, step - received));
      tokens.set(fresh, received);
      received += fresh.length;
      if (fresh.length > 0) request.onTokens?.(fresh);
      const stop = STOPS[done];
      if (stop && received === step) {
        const stats = {
          prefillMs: firstAt - begun,
          decodeMs: performance.now() - firstAt,
          dispatchesPerToken: session.dispatchesPerToken,
          submits: session.submits,
          tokens: received,
        };
        return { tokens: tokens.slice(0, received), stop, stats };
      }
    }
  } finally {
    readback.destroy();
    session.destroy();
  }
}
