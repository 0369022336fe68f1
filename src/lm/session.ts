/**
 * One utterance on the GPU: its cache, the sampler's state, rows that are fed to it, and the program of one decoding step that is
 * replayed for every token.
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

/** Rows to feed: ids of one table, in order. */
export interface Piece {
  readonly table: "marks" | "text" | "speech";
  readonly ids: ArrayLike<number>;
}

/** Rows of `llm_embedding`. */
export const BEGIN: Piece = { table: "marks", ids: [0] };
export const TASK: Piece = { table: "marks", ids: [1] };

export function rowsOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { ids }) => sum + ids.length, 0);
}

export interface Capacity {
  /** Rows the cache may come to hold, and tokens that may be chosen. */
  readonly positions: number;
  readonly tokens: number;
}

export interface FeedOptions {
  /** Where the logits of the last row go too. */
  readonly logitsTo?: ResidentTensor;
  /** Takes the commands of the last rows, to add to them before it submits them. */
  readonly submitLast?: (encoder: GPUCommandEncoder) => void;
}

export class Session {
  private readonly cache: KvCache;
  readonly rope: ResidentTensor;
  readonly state: ResidentTensor;
  readonly tokens: ResidentTensor;
  readonly margins: ResidentTensor;
  /** Rows fed so far, without those of the decoding steps since. */
  private fed = 0;
  private step: { readonly rules: Rules; readonly program: Program; readonly logits: Tensor } | undefined;
  /** Submits so far, for the statistics. */
  submits = 0;

  /** @param forced the tokens of mode "forced" */
  constructor(
    private readonly backbone: Backbone,
    capacity: Capacity,
    forced: ArrayLike<number> = [],
  ) {
    const { device, config, smallestSegment } = backbone;
    checkIds("forced", forced, config.speechRows);
    const { positions, tokens } = capacity;
    if (positions > config.maxPositions) {
      throw new InputError(
        `the prompt and up to ${tokens} tokens make ${positions} positions, the model has ${config.maxPositions}; use shorter text or prompt`,
      );
    }
    this.cache = new KvCache(device, config, positions, smallestSegment);
    this.rope = device.upload("rope", [positions, config.headDim / 2, 2], ropeTable(positions, config));
    this.state = device.tensor("sampler state", [4], "i32");
    this.tokens = device.tensor("tokens", [tokens], "i32");
    this.margins = device.tensor("margins", [tokens]);
    if (forced.length > 0) device.write(this.tokens, Int32Array.from(forced));
  }

  /**
   * Appends rows to the cache, some at a time, and chooses token `step` from the last one's logits. Nothing is waited for but
   * pipelines that are new.
   * @throws InputError for ids that their table has not
   */
  async feed(pieces: readonly Piece[], step: number, rules: Rules, options: FeedOptions = {}): Promise<void> {
    const { device, config, weights, prefillRows } = this.backbone;
    for (const { table, ids } of pieces) checkIds(table, ids, weights[table].rows);
    const length = rowsOf(pieces);
    this.cache.grow(this.fed + length);
    const ids = device.upload(
      "fed ids",
      [length],
      Int32Array.from(pieces.flatMap(({ ids }) => Array.from(ids))),
      "i32",
    );
    const spans = pieces.map(({ table, ids }): Span => ({ table: weights[table], rows: ids.length }));
    try {
      for (let first = 0; first < length; first += prefillRows) {
        const rows = Math.min(prefillRows, length - first);
        const g = new Graph("prefill", device.capabilities);
        const x = embedSpans(g, spans, ids, { first, rows, width: config.width });
        const h = prefill(g, weights, config, x, this.cache, this);
        const isLast = first + rows === length;
        if (isLast) {
          const logits = head(g, weights, config, h);
          if (options.logitsTo) g.copy(logits, 0, options.logitsTo, 0, config.speechRows * 4);
          sample(g, logits, this, config, rules, rows);
        }
        const program = await Program.compile(device, g);
        try {
          device.write(this.state, Int32Array.of(this.fed + first, 0, step, 0));
          if (isLast && options.submitLast) {
            const encoder = device.gpu.createCommandEncoder({ label: "prefill" });
            program.encode(encoder);
            options.submitLast(encoder);
          } else program.run();
          this.submits++;
        } finally {
          // The queue keeps what it still needs.
          program.destroy();
        }
      }
      this.fed += length;
    } finally {
      device.release(ids.buffer);
    }
  }

  /** Makes room and the program for the next steps, `steps` of them since rows were fed. Call it before `encode`. */
  async ready(steps: number, rules: Rules): Promise<void> {
    const grown = this.cache.grow(this.fed + steps);
    if (this.step?.rules === rules && !grown) return;
    const { device, config, weights } = this.backbone;
    const g = new Graph("decode", device.capabilities);
    const x = g.temp("input", [config.width]);
    embed(g, weights.speech, this.state, x, { firstId: 1, count: 1, outRow: 0 });
    const logits = head(g, weights, config, decode(g, weights, config, x, this.cache, this));
    g.keep(logits);
    sample(g, logits, this, config, rules, 1);
    const before = this.step;
    this.step = { rules, program: await Program.compile(device, g), logits };
    before?.program.destroy();
  }

  /** Records one decoding step. @param logitsTo where its logits go too, with the byte offset */
  encode(encoder: GPUCommandEncoder, logitsTo?: { tensor: ResidentTensor; offset: number }): void {
    const { step } = this;
    if (!step) throw new InternalError("session: ready() comes before encode()");
    step.program.encode(encoder);
    if (!logitsTo) return;
    const bytes = this.backbone.config.speechRows * 4;
    const { buffer } = step.program.resident(step.logits);
    encoder.copyBufferToBuffer(buffer, 0, logitsTo.tensor.buffer, logitsTo.offset, bytes);
  }

  /** Says that `rows` of the decoding steps since rows were fed count; what later ones put into the cache is written over. */
  accept(rows: number): void {
    this.fed += rows;
  }

  /** Dispatches of one decoded token. */
  get dispatchesPerToken(): number {
    return this.step?.program.dispatches ?? 0;
  }

  destroy(): void {
    this.step?.program.destroy();
    this.cache.destroy();
    const { rope, state, tokens, margins } = this;
    this.backbone.device.release(...[rope, state, tokens, margins].map(({ buffer }) => buffer));
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
