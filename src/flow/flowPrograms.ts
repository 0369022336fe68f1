/**
 * The two programs of one length: tokens to mu, and one step of the solver. They are kept for the next utterance of that length.
 */
import type { FlowConfig } from "../config.js";
import type { Device } from "../gpu/device.js";
import { Graph } from "../gpu/graph.js";
import { Program } from "../gpu/program.js";
import type { ResidentTensor, Tensor } from "../gpu/tensor.js";
import { estimatorInput, eulerStep } from "../ops/flow.js";
import { type Estimator, estimator } from "./estimator.js";
import { relativePositions } from "./positions.js";
import { type TokenEncoder, tokenEncoder } from "./tokenEncoder.js";

export interface FlowNet {
  readonly encoder: TokenEncoder;
  readonly estimator: Estimator;
  /** What every resnet adds at every step [steps, resnets · channels]. */
  readonly timeTable: ResidentTensor;
  /** Length of every step [steps]. */
  readonly dt: ResidentTensor;
}

export interface FlowShape {
  /** N: tokens of prompt and utterance. */
  readonly ids: number;
  /** T ≤ N: those that become frames. */
  readonly tokens: number;
  /** Mel frames per token. */
  readonly ratio: number;
  /** Attention in chunks. */
  readonly streaming: boolean;
}

/** What a run writes before it starts. */
export interface FlowData {
  readonly ids: Int32Array; // [N]
  readonly speaker: Float32Array; // [melBins]
  readonly condition: Float32Array; // [M, melBins]
  readonly noise: Float32Array; // [M, melBins]
}

export class FlowPrograms {
  private constructor(
    readonly shape: FlowShape,
    private readonly device: Device,
    private readonly inputs: Readonly<Record<"ids" | "speaker" | "condition" | "x" | "state", ResidentTensor>>,
    private readonly owned: readonly ResidentTensor[],
    private readonly encode: Program,
    private readonly step: Program,
    private readonly muTensor: Tensor,
    private readonly velocityTensor: Tensor,
  ) {}

  static async compile(device: Device, net: FlowNet, config: FlowConfig, shape: FlowShape): Promise<FlowPrograms> {
    const { ids: count, tokens, ratio, streaming } = shape;
    const frames = tokens * ratio;
    const owned: ResidentTensor[] = [];
    const own = (tensor: ResidentTensor): ResidentTensor => {
      owned.push(tensor);
      return tensor;
    };
    const positions = (label: string, length: number): ResidentTensor => {
      const rows = [2 * length - 1, config.width] as const;
      return own(device.upload(label, rows, relativePositions(length, config.width)));
    };
    let encode: Program | undefined;
    try {
      const inputs = {
        ids: own(device.tensor("flow ids", [count], "i32")),
        speaker: own(device.tensor("flow speaker", [config.melBins])),
        condition: own(device.tensor("flow condition", [frames, config.melBins])),
        x: own(device.tensor("flow x", [frames, config.melBins])),
        state: own(device.tensor("flow step", [1], "u32")),
      };
      const encodeGraph = new Graph("token encoder", device.capabilities);
      const mu = encodeGraph.keep(
        tokenEncoder(encodeGraph, net.encoder, config, {
          ids: inputs.ids,
          tokens,
          ratio,
          positions: positions("positions", tokens),
          upPositions: positions("up positions", frames),
          chunk: streaming ? config.chunk : undefined,
        }),
      );
      encode = await Program.compile(device, encodeGraph);

      const { x, speaker, condition, state } = inputs;
      const g = new Graph("flow step", device.capabilities);
      const input = estimatorInput(g, { x, mu: encode.resident(mu), speaker, condition });
      const velocity = g.keep(
        estimator(g, input, net.estimator, config.estimator, {
          time: { state, table: net.timeTable },
          chunk: streaming ? config.estimator.chunk : undefined,
        }),
      );
      eulerStep(g, x, { velocity, dt: net.dt, state, guidance: config.solver.guidance });
      const step = await Program.compile(device, g);
      return new FlowPrograms(shape, device, inputs, owned, encode, step, mu, velocity);
    } catch (error) {
      encode?.destroy();
      device.release(...owned.map(({ buffer }) => buffer));
      throw error;
    }
  }

  get dispatches(): { readonly encoder: number; readonly step: number } {
    return { encoder: this.encode.dispatches, step: this.step.dispatches };
  }

  fits(shape: FlowShape): boolean {
    const { ids, tokens, ratio, streaming } = this.shape;
    return ids === shape.ids && tokens === shape.tokens && ratio === shape.ratio && streaming === shape.streaming;
  }

  /** Writes the inputs and computes mu. */
  start({ ids, speaker, condition, noise }: FlowData): void {
    const { device, inputs } = this;
    device.write(inputs.ids, ids);
    device.write(inputs.speaker, speaker);
    device.write(inputs.condition, condition);
    device.write(inputs.x, noise);
    this.encode.run();
  }

  /** Takes x one step on: one submit. */
  advance(step: number): void {
    this.device.write(this.inputs.state, Uint32Array.of(step));
    this.step.run();
  }

  /** [M, melBins] */
  mu(): Promise<Float32Array> {
    return this.encode.read(this.muTensor);
  }

  /** [2, M, melBins] of the last step: with and without conditions. */
  velocity(): Promise<Float32Array> {
    return this.step.read(this.velocityTensor);
  }

  /** Rows of x from `firstFrame` on. */
  async mel(firstFrame: number): Promise<Float32Array> {
    const { buffer, shape } = this.inputs.x;
    const [frames = 0, bins = 0] = shape;
    const rowBytes = bins * 4;
    return new Float32Array(
      await this.device.readBytes(buffer, firstFrame * rowBytes, (frames - firstFrame) * rowBytes),
    );
  }

  destroy(): void {
    this.encode.destroy();
    this.step.destroy();
    this.device.release(...this.owned.map(({ buffer }) => buffer));
  }
}
