/**
 * The flow: speech tokens and a speaker → mel spectrogram (upstream `CausalMaskedDiffWithXvec.inference`). Tokens become the mean mu;
 * ten Euler steps carry fixed noise to a mel under guidance by mu, the speaker and the mel of a prompt.
 */
import { MAX_HEAD_DIM } from "../../kernels/chunkAttention.js";
import type { Model } from "../checkpoint/model.js";
import type { FlowConfig } from "../config.js";
import { checkCancelled, FileError, InputError } from "../errors.js";
import type { Device } from "../gpu/device.js";
import { Graph } from "../gpu/graph.js";
import { Program } from "../gpu/program.js";
import { attentionMask } from "../ops/flow.js";
import { Weights } from "../ops/weights.js";
import { loadEstimator, resnetNames } from "./estimator.js";
import { cosineSchedule } from "./eulerSolver.js";
import { type FlowNet, FlowPrograms, type FlowShape } from "./flowPrograms.js";
import { flowNoise } from "./noise.js";
import { timeTable } from "./timeEmbedding.js";
import { loadTokenEncoder } from "./tokenEncoder.js";

export interface FlowInput {
  readonly token: Int32Array; // [S], at least one
  readonly promptToken: Int32Array; // [P], may be empty
  readonly promptFeat: Float32Array; // [F, melBins]; F is P · tokenMelRatio, or apart by less than a token: what follows is new
  readonly embedding: Float32Array; // [speakerWidth], of any length but not all zeros
  /** Attention in chunks, so that frames do not change when more tokens come. */
  readonly streaming: boolean;
  /** false: the last `lookahead` tokens are only looked at; more will come. */
  readonly finalize: boolean;
  readonly signal?: AbortSignal;
  /** Called after every step of the solver. */
  readonly onStep?: (done: number, total: number) => void;
  /** Also give the inner tensors that parity compares. */
  readonly inspect?: boolean;
}

export interface FlowOutput {
  /** The frames behind those of the prompt [M - F, melBins]. */
  readonly mel: Float32Array;
  readonly stats: FlowStats;
}

export interface InspectedFlow extends FlowOutput {
  /** The projected speaker [melBins]. */
  readonly spks: Float32Array;
  /** Prompt and new frames [M, melBins]. */
  readonly mu: Float32Array;
  /** Of the first step [2, M, melBins]: with and without conditions. */
  readonly velocity: Float32Array;
}

export interface FlowStats {
  /** M: prompt and new frames. */
  readonly frames: number;
  readonly prepareMs: number;
  readonly encodeMs: number;
  readonly solveMs: number;
  readonly dispatches: { readonly encoder: number; readonly step: number };
}

export class Flow {
  private last: FlowPrograms | undefined;
  /** The end of the last call: calls share one set of buffers, so the next one waits. */
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly device: Device,
    readonly config: FlowConfig,
    /** Mel frames per token. */
    readonly tokenMelRatio: number,
    private readonly framesPerSecond: number,
    private readonly weights: Weights,
    private readonly net: FlowNet,
    private readonly speaker: { readonly weight: Float32Array; readonly bias: Float32Array },
  ) {}

  /** @throws FileError when the model holds no flow or its sizes cannot be computed. */
  static async load(device: Device, model: Model): Promise<Flow> {
    const { flow: config, tokenRate, tokenMelRatio } = model.config;
    if (!config) throw new FileError(`${model.name}: holds no flow; convert a checkpoint that has flow.pt`);
    checkFlow(model.name, config);
    // Whole floats in every model: see `mayBeHalf`.
    const weights = new Weights(device, model.tensors("flow"), "f32");
    try {
      const { estimator, solver } = config;
      const { times, dt } = cosineSchedule(solver.steps);
      const resnets = resnetNames(estimator);
      const table = await timeTable(weights, times, {
        sinusoids: estimator.timeSinusoids,
        resnets,
        channels: estimator.channels,
      });
      const net = {
        encoder: await loadTokenEncoder(weights, config),
        estimator: await loadEstimator(weights, estimator),
        timeTable: weights.constant("time table", [solver.steps, resnets.length * estimator.channels], table),
        dt: weights.constant("dt", [solver.steps], dt),
      };
      const speaker = {
        weight: await weights.values("spk_embed_affine_layer.weight"),
        bias: await weights.values("spk_embed_affine_layer.bias"),
      };
      return new Flow(device, config, tokenMelRatio, tokenRate * tokenMelRatio, weights, net, speaker);
    } catch (error) {
      weights.destroy();
      throw error;
    }
  }

  /**
   * Calls made at once run one after the other.
   * @throws InputError when an input breaks its rule, CancelledError when the signal fires; then everything the call made is freed.
   */
  run(input: FlowInput & { readonly inspect: true }): Promise<InspectedFlow>;
  run(input: FlowInput): Promise<FlowOutput>;
  run(input: FlowInput): Promise<FlowOutput> {
    const turn = this.queue.then(() => this.runNow(input));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /** The fixed noise an utterance starts from: [frames, melBins]. @throws InputError past the length of the table */
  noise(frames: number): Float32Array {
    this.requireFrames(frames);
    return flowNoise(this.config.melBins, this.config.solver.noiseFrames, frames);
  }

  /** The attention mask [frames, frames], mask[query, key] of 0 and 1, as the kernels apply it. */
  async mask(frames: number, chunk: number): Promise<Uint32Array> {
    if (!(Number.isInteger(frames) && frames > 0 && Number.isInteger(chunk) && chunk > 0)) {
      throw new InputError(`mask: ${frames} frames in chunks of ${chunk}; both are whole numbers from 1 on`);
    }
    const graph = new Graph("mask", this.device.capabilities);
    const mask = graph.keep(attentionMask(graph, frames, chunk));
    const program = await Program.compile(this.device, graph);
    try {
      program.run();
      return await this.device.readU32(program.resident(mask));
    } finally {
      program.destroy();
    }
  }

  /** Frees everything on the GPU. */
  destroy(): void {
    this.last?.destroy();
    this.last = undefined;
    this.weights.destroy();
  }

  private async runNow(input: FlowInput): Promise<FlowOutput | InspectedFlow> {
    const shape = this.shapeOf(input);
    const begun = performance.now();
    const { signal, onStep, inspect = false } = input;
    const { steps } = this.config.solver;
    checkCancelled(signal, "the flow");
    const programs = await this.programsFor(shape);
    try {
      const prepared = performance.now();
      const frames = shape.tokens * shape.ratio;
      const spks = this.project(input.embedding);
      const condition = new Float32Array(frames * this.config.melBins);
      condition.set(input.promptFeat);
      const ids = Int32Array.of(...input.promptToken, ...input.token);
      programs.start({ ids, speaker: spks, condition, noise: this.noise(frames) });
      await this.device.gpu.queue.onSubmittedWorkDone();
      const encoded = performance.now();
      let velocity: Float32Array | undefined;
      for (let step = 0; step < steps; step++) {
        checkCancelled(signal, "the flow");
        programs.advance(step);
        // Waiting costs little beside a step, and lets a cancelled call stop here.
        await this.device.gpu.queue.onSubmittedWorkDone();
        if (inspect && step === 0) velocity = await programs.velocity();
        onStep?.(step + 1, steps);
      }
      const mel = await programs.mel(input.promptFeat.length / this.config.melBins);
      const stats = {
        frames,
        prepareMs: prepared - begun,
        encodeMs: encoded - prepared,
        solveMs: performance.now() - encoded,
        dispatches: programs.dispatches,
      };
      return velocity ? { mel, stats, spks, mu: await programs.mu(), velocity } : { mel, stats };
    } catch (error) {
      programs.destroy();
      this.last = undefined;
      throw error;
    }
  }

  private async programsFor(shape: FlowShape): Promise<FlowPrograms> {
    if (this.last?.fits(shape)) return this.last;
    this.last?.destroy();
    this.last = undefined;
    this.last = await FlowPrograms.compile(this.device, this.net, this.config, shape);
    return this.last;
  }

  /** W · e / ‖e‖ + b: the speaker as the estimator sees it [melBins]. */
  private project(embedding: Float32Array): Float32Array {
    const length = Math.max(Math.hypot(...embedding), 1e-12);
    const { weight, bias } = this.speaker;
    return bias.map((b, row) => {
      const first = row * embedding.length;
      return embedding.reduce((sum, e, i) => sum + ((weight[first + i] as number) * e) / length, b);
    });
  }

  /** Checks the input and says how long everything is. */
  private shapeOf({ token, promptToken, promptFeat, embedding, streaming, finalize }: FlowInput): FlowShape {
    const { codes, lookahead, melBins, speakerWidth } = this.config;
    for (const [name, ids] of [
      ["token", token],
      ["promptToken", promptToken],
    ] as const) {
      const wrong = ids.findIndex((id) => id < 0 || id >= codes);
      if (wrong >= 0) throw new InputError(`${name}[${wrong}] is ${ids[wrong]}; speech tokens are 0 to ${codes - 1}`);
    }
    const least = finalize ? 1 : lookahead + 1;
    if (token.length < least) {
      const why = finalize ? "" : `; ${lookahead} of them are only looked at while more are to come`;
      throw new InputError(`token: there are ${token.length} speech tokens, at least ${least} are needed${why}`);
    }
    const promptFrames = promptToken.length * this.tokenMelRatio;
    const apart = promptFeat.length / melBins - promptFrames;
    if (!Number.isInteger(apart) || apart < -this.tokenMelRatio || apart >= this.tokenMelRatio) {
      throw new InputError(
        `promptFeat: ${promptFeat.length} values for ${promptToken.length} prompt tokens, which need ${promptFrames} frames of ${melBins}`,
      );
    }
    if (embedding.length !== speakerWidth) {
      throw new InputError(`embedding: ${embedding.length} values, the flow takes ${speakerWidth}`);
    }
    const ids = promptToken.length + token.length;
    const tokens = finalize ? ids : ids - lookahead;
    this.requireFrames(tokens * this.tokenMelRatio);
    return { ids, tokens, ratio: this.tokenMelRatio, streaming };
  }

  private requireFrames(frames: number): void {
    const { noiseFrames } = this.config.solver;
    if (frames <= noiseFrames) return;
    const seconds = (count: number): string => (count / this.framesPerSecond).toFixed(1);
    throw new InputError(
      `speech and its prompt last ${seconds(frames)} s, the flow takes at most ${seconds(noiseFrames)} s; use a shorter text or prompt`,
    );
  }
}

/** @throws FileError for sizes that cannot be computed; `name` is that of the model */
export function checkFlow(name: string, { width, heads, estimator, melBins }: FlowConfig): void {
  const headDim = width / heads;
  if (!Number.isInteger(headDim) || headDim > MAX_HEAD_DIM || estimator.headDim > MAX_HEAD_DIM) {
    throw new FileError(
      `${name}: attention heads of ${headDim} and ${estimator.headDim} channels; whole numbers up to ${MAX_HEAD_DIM} can be computed`,
    );
  }
  if (estimator.inChannels !== 4 * melBins) {
    throw new FileError(
      `${name}: the estimator takes ${estimator.inChannels} channels; x, mu, speaker and condition of ${melBins} bins make ${4 * melBins}`,
    );
  }
}
