/**
 * One utterance on the GPU: its cache, the sampler's state, and the program of one decoding step that is replayed for every token.
 */
import type { LmConfig } from "../config.js";
import { InputError, InternalError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import { Graph } from "../gpu/graph.js";
import { Program } from "../gpu/program.js";
import type { ResidentTensor, Tensor } from "../gpu/tensor.js";
import { embed } from "../ops/embed.js";
import { KvCache } from "./kvCache.js";
import { decode, embedSpans, head, prefill, type Qwen2Weights, ropeTable, type Span } from "./qwen2.js";
import { type Rules, sample } from "./sampling.js";

export interface Backbone {
  readonly device: Device;
  readonly config: LmConfig;
  readonly weights: Qwen2Weights;
  /** Positions of the smallest cache segment, and rows of a prompt computed at a time. */
  readonly smallestSegment: number;
  readonly prefillRows: number;
}

export interface Prompt {
  readonly textIds: ArrayLike<number>;
  readonly speechIds: ArrayLike<number>;
}

/** Sequence positions of a prompt: begin mark, text, task mark, speech. */
export function promptLength({ textIds, speechIds }: Prompt): number {
  return 2 + textIds.length + speechIds.length;
}

/** Rows of `llm_embedding`. */
const BEGIN = 0;
const TASK = 1;

export class Session {
  private readonly cache: KvCache;
  readonly rope: ResidentTensor;
  readonly state: ResidentTensor;
  readonly tokens: ResidentTensor;
  readonly margins: ResidentTensor;
  private readonly ids: ResidentTensor;
  private readonly spans: readonly Span[];
  private readonly length: number;
  private step: Program | undefined;
  private stepLogits: Tensor | undefined;
  /** Submits so far, for the statistics. */
  submits = 0;

  /** @param forced the tokens of mode "forced" */
  constructor(
    private readonly backbone: Backbone,
    prompt: Prompt,
    private readonly rules: Rules,
    forced: ArrayLike<number> = [],
  ) {
    const { device, config, weights, smallestSegment } = backbone;
    this.length = promptLength(prompt);
    checkIds("text", prompt.textIds, config.textRows);
    checkIds("speech", prompt.speechIds, config.speechRows);
    checkIds("forced", forced, config.speechRows);
    const positions = this.length + rules.maxLen - 1;
    if (positions > config.maxPositions) {
      throw new InputError(
        `${this.length} prompt positions and up to ${rules.maxLen} tokens make ${positions}, the model has ${config.maxPositions}; use shorter text or prompt`,
      );
    }
    const { textIds, speechIds } = prompt;
    this.spans = [
      { table: weights.marks, rows: 1 },
      { table: weights.text, rows: textIds.length },
      { table: weights.marks, rows: 1 },
      { table: weights.speech, rows: speechIds.length },
    ];
    const ids = Int32Array.from([BEGIN, ...Array.from(textIds), TASK, ...Array.from(speechIds)]);
    this.cache = new KvCache(device, config, positions, smallestSegment);
    this.ids = device.upload("prompt ids", [ids.length], ids, "i32");
    this.rope = device.upload("rope", [positions, config.headDim / 2, 2], ropeTable(positions, config));
    this.state = device.tensor("sampler state", [4], "i32");
    this.tokens = device.tensor("tokens", [rules.maxLen], "i32");
    this.margins = device.tensor("margins", [rules.maxLen]);
    if (forced.length > 0) device.write(this.tokens, Int32Array.from(forced));
  }

  /**
   * Reads the prompt, some rows at a time, and chooses token 0. Nothing is waited for but pipelines that are new.
   * @param logitsTo where the logits of the last row go too
   * @param submitLast takes the commands of the last rows, to add to them before it submits them
   */
  async prefill({
    logitsTo,
    submitLast,
  }: {
    readonly logitsTo?: ResidentTensor;
    readonly submitLast?: (encoder: GPUCommandEncoder) => void;
  } = {}): Promise<void> {
    const { device, config, weights, prefillRows } = this.backbone;
    this.cache.grow(this.length);
    for (let first = 0; first < this.length; first += prefillRows) {
      const rows = Math.min(prefillRows, this.length - first);
      const g = new Graph("prefill", device.capabilities);
      const x = embedSpans(g, this.spans, this.ids, { first, rows, width: config.width });
      const h = prefill(g, weights, config, x, this.cache, this);
      const isLast = first + rows === this.length;
      if (isLast) {
        const logits = head(g, weights, config, h);
        if (logitsTo) g.copy(logits, 0, logitsTo, 0, config.speechRows * 4);
        sample(g, logits, this, config, this.rules, rows);
      }
      const program = await Program.compile(device, g);
      try {
        device.write(this.state, Int32Array.of(first, 0, 0, 0));
        if (isLast && submitLast) {
          const encoder = device.gpu.createCommandEncoder({ label: "prefill" });
          program.encode(encoder);
          submitLast(encoder);
        } else program.run();
        this.submits++;
      } finally {
        // The queue keeps what it still needs.
        program.destroy();
      }
    }
  }

  /** Makes room and the program for the steps that choose the first `count` tokens. Call it before `encode`. */
  async ready(count: number): Promise<void> {
    // The last token is chosen, not read, and the prompt chose the first.
    const grown = this.cache.grow(this.length + Math.max(count, 1) - 1);
    if (this.step && !grown) return;
    const { device, config, weights } = this.backbone;
    const g = new Graph("decode", device.capabilities);
    const x = g.temp("input", [config.width]);
    embed(g, weights.speech, this.state, x, { firstId: 1, count: 1, outRow: 0 });
    const logits = head(g, weights, config, decode(g, weights, config, x, this.cache, this));
    g.keep(logits);
    sample(g, logits, this, config, this.rules, 1);
    const before = this.step;
    this.step = await Program.compile(device, g);
    this.stepLogits = logits;
    before?.destroy();
  }

  /** Records one decoding step. @param logitsTo where its logits go too, with the byte offset */
  encode(encoder: GPUCommandEncoder, logitsTo?: { tensor: ResidentTensor; offset: number }): void {
    const { step, stepLogits } = this;
    if (!step || !stepLogits) throw new InternalError("session: ready() comes before encode()");
    step.encode(encoder);
    if (!logitsTo) return;
    const bytes = this.backbone.config.speechRows * 4;
    encoder.copyBufferToBuffer(step.resident(stepLogits).buffer, 0, logitsTo.tensor.buffer, logitsTo.offset, bytes);
  }

  /** Dispatches of one decoded token. */
  get dispatchesPerToken(): number {
    return this.step?.dispatches ?? 0;
  }

  destroy(): void {
    this.step?.destroy();
    this.cache.destroy();
    const { ids, rope, state, tokens, margins } = this;
    this.backbone.device.release(...[ids, rope, state, tokens, margins].map(({ buffer }) => buffer));
  }
}

function checkIds(kind: string, ids: ArrayLike<number>, rows: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    if (!Number.isInteger(id) || id < 0 || id >= rows) {
      throw new InputError(`${kind} id ${i} is ${id}; the model has ids 0 to ${rows - 1}`);
    }
  }
}
