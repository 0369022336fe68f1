/** The language model: text ids (and the speech ids of a prompt) → speech ids. */
import { MAX_HEAD_DIM } from "../../kernels/cachedAttention.js";
import type { Model } from "../checkpoint/model.js";
import type { LmConfig } from "../config.js";
import { FileError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import type { ResidentTensor } from "../gpu/tensor.js";
import { Weights } from "../ops/weights.js";
import { type Generated, type GenerateRequest, generate, promptOf } from "./generate.js";
import { loadQwen2 } from "./qwen2.js";
import { nucleusOf, type Rules } from "./sampling.js";
import { type Backbone, rowsOf, Session } from "./session.js";
import {
  generateStream,
  type RecordedStream,
  type StreamEnd,
  streamLogits,
  type TextStreamRequest,
} from "./textStream.js";

export interface LmOptions {
  /** Positions of the smallest segment of the key/value cache. */
  readonly smallestSegment?: number;
  /** Prompt rows computed at a time. */
  readonly prefillRows?: number;
  /** Tokens decoded per submit, and submits kept on their way. */
  readonly tokensPerSubmit?: number;
  readonly submitsInFlight?: number;
}

/** Steps of `logprobs` between two reads of logits. */
const FORCED_STEPS = 64;

/** @throws FileError for sizes that cannot be computed; `name` is that of the model */
export function checkLm(name: string, { headDim, heads, kvHeads }: LmConfig): void {
  if (headDim % 2 !== 0 || headDim > MAX_HEAD_DIM || heads % kvHeads !== 0) {
    throw new FileError(
      `${name}: ${heads} query and ${kvHeads} key heads of ${headDim}; heads are even, at most ${MAX_HEAD_DIM} wide, and key heads divide query heads`,
    );
  }
}

export class LanguageModel {
  private constructor(
    readonly config: LmConfig,
    private readonly backbone: Backbone,
    private readonly weights: Weights,
    private readonly pace: { readonly tokensPerSubmit: number; readonly submitsInFlight: number },
  ) {}

  /** @throws FileError when the model has no language model or its tensors do not fit its configuration. */
  static async load(device: Device, model: Model, options: LmOptions = {}): Promise<LanguageModel> {
    const config = model.config.lm;
    if (!config) throw new FileError(`${model.name}: holds no language model`);
    checkLm(model.name, config);
    const weights = new Weights(device, model.tensors("lm"), model.dtype);
    try {
      const { smallestSegment = 512, prefillRows = 512, tokensPerSubmit = 8, submitsInFlight = 3 } = options;
      const backbone = { device, config, weights: await loadQwen2(weights, config), smallestSegment, prefillRows };
      return new LanguageModel(config, backbone, weights, { tokensPerSubmit, submitsInFlight });
    } catch (error) {
      weights.destroy();
      throw error;
    }
  }

  /** Draws speech tokens for a text. See `GenerateRequest`. */
  generate(request: GenerateRequest): Promise<Generated> {
    return generate(this.backbone, request, this.pace);
  }

  /** Log-probabilities [S + 1, V] after the prompt and after every forced id, decoded one by one. */
  async logprobs(
    textIds: ArrayLike<number>,
    promptSpeechIds: ArrayLike<number>,
    forcedIds: ArrayLike<number>,
  ): Promise<Float32Array> {
    const { device, config } = this.backbone;
    const vocab = config.speechRows;
    const out = new Float32Array((forcedIds.length + 1) * vocab);
    const prompt = promptOf(textIds, promptSpeechIds);
    const tokens = forcedIds.length + 1;
    const rules = rulesOf("forced", tokens);
    const session = new Session(this.backbone, { positions: rowsOf(prompt) + tokens - 1, tokens }, forcedIds);
    let rows: ResidentTensor | undefined;
    try {
      rows = device.tensor("forced logits", [FORCED_STEPS, vocab]);
      await session.feed(prompt, 0, rules, { logitsTo: rows });
      out.set((await device.read(rows)).subarray(0, vocab));
      for (let first = 1; first <= forcedIds.length; first += FORCED_STEPS) {
        const count = Math.min(FORCED_STEPS, forcedIds.length + 1 - first);
        await session.ready(first - 1 + count, rules);
        const encoder = device.gpu.createCommandEncoder({ label: "forced decoding" });
        for (let i = 0; i < count; i++) session.encode(encoder, { tensor: rows, offset: i * vocab * 4 });
        device.gpu.queue.submit([encoder.finish()]);
        out.set((await device.read(rows)).subarray(0, count * vocab), first * vocab);
      }
    } finally {
      if (rows) device.release(rows.buffer);
      session.destroy();
    }
    for (let row = 0; row <= forcedIds.length; row++) logSoftmax(out.subarray(row * vocab, (row + 1) * vocab));
    return out;
  }

  /** Draws speech tokens for a text that comes bit by bit. See `TextStreamRequest`. */
  generateStream(request: TextStreamRequest): AsyncGenerator<Int32Array, StreamEnd> {
    return generateStream(this.backbone, request);
  }

  /** Log-probabilities [ids, V] at every choice along a recorded run of `generateStream`. See `streamLogits`. */
  async streamLogprobs(input: RecordedStream, ids: ArrayLike<number>): Promise<Float32Array> {
    const out = await streamLogits(this.backbone, input, ids);
    const vocab = this.config.speechRows;
    for (let row = 0; row < ids.length; row++) logSoftmax(out.subarray(row * vocab, (row + 1) * vocab));
    return out;
  }

  /** The most probable id at each of `steps` steps, stop ids masked, and by how much its log-probability leads the second's. */
  async greedy(
    textIds: ArrayLike<number>,
    promptSpeechIds: ArrayLike<number>,
    steps: number,
  ): Promise<{ ids: Int32Array; margins: Float32Array }> {
    if (steps === 0) return { ids: new Int32Array(), margins: new Float32Array() };
    const { device } = this.backbone;
    const prompt = promptOf(textIds, promptSpeechIds);
    const rules = rulesOf("greedy", steps);
    const session = new Session(this.backbone, { positions: rowsOf(prompt) + steps - 1, tokens: steps });
    try {
      await session.feed(prompt, 0, rules);
      for (let done = 1; done < steps; done += this.pace.tokensPerSubmit) {
        const count = Math.min(this.pace.tokensPerSubmit, steps - done);
        await session.ready(done - 1 + count, rules);
        const encoder = device.gpu.createCommandEncoder({ label: "greedy decoding" });
        for (let i = 0; i < count; i++) session.encode(encoder);
        device.gpu.queue.submit([encoder.finish()]);
      }
      const margins = await device.read(session.margins);
      return { ids: new Int32Array((await device.readU32(session.tokens)).buffer), margins };
    } finally {
      session.destroy();
    }
  }

  /** The sampler's candidates of one distribution [V], in its order, with their probabilities. */
  nucleus(logprobs: Float32Array): Promise<{ ids: Int32Array; probs: Float32Array }> {
    return nucleusOf(this.backbone.device, logprobs, this.config);
  }

  destroy(): void {
    this.weights.destroy();
  }
}

/** For decoding that draws nothing. */
function rulesOf(mode: "forced" | "greedy", maxLen: number): Rules {
  return { mode, minLen: 0, maxLen, maskedStops: 0, seed: 0, stream: mode };
}

/** In place: logits to log-probabilities, summed in double precision. */
function logSoftmax(row: Float32Array): void {
  let top = Number.NEGATIVE_INFINITY;
  for (const v of row) top = Math.max(top, v);
  let sum = 0;
  for (const v of row) sum += Math.exp(v - top);
  const shift = top + Math.log(sum);
  for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) - shift;
}
