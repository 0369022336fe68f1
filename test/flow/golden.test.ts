/**
 * The token encoder and the estimator at the size of the released model. Weights and inputs come from names; the values are those of
 * the official code on the same (f32, CPU): 8 spread over each result, then its mean and root mean square.
 */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { release } from "../../bench/release.js";
import type { FlowConfig } from "../../src/config.js";
import { type Estimator, estimator, loadEstimator, resnetNames } from "../../src/flow/estimator.js";
import { relativePositions } from "../../src/flow/positions.js";
import { timeTable } from "../../src/flow/timeEmbedding.js";
import { loadTokenEncoder, type TokenEncoder, tokenStates } from "../../src/flow/tokenEncoder.js";
import type { Device } from "../../src/gpu/device.js";
import { Graph } from "../../src/gpu/graph.js";
import { Program } from "../../src/gpu/program.js";
import type { ResidentTensor, Tensor } from "../../src/gpu/tensor.js";
import { Weights } from "../../src/ops/weights.js";
import { flowWeights } from "../../weights/flow.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { namedValues, syntheticSource } from "../helpers/synthetic.js";

const CONFIG: FlowConfig = release.flow;
const RATIO = 2;

interface Golden {
  readonly values: readonly number[];
  readonly mean: number;
  readonly rms: number;
}

function expectGolden(got: ArrayLike<number>, { values, mean, rms }: Golden): void {
  const all = Array.from(got);
  for (const [k, want] of values.entries()) {
    const index = Math.floor(((k + 0.5) * all.length) / values.length);
    const apart = Math.abs((all[index] as number) - want);
    expect(apart, `value ${index}: ${all[index]}, expected ${want}`).toBeLessThan(1e-4 * rms);
  }
  expect(all.reduce((sum, v) => sum + v, 0) / all.length).toBeCloseTo(mean, 5);
  expect(Math.sqrt(all.reduce((sum, v) => sum + v * v, 0) / all.length)).toBeCloseTo(rms, 5);
}

// One adapter, the fastest: the kernels are tested on all of them, and this is 100 billion operations.
describe(`flow at full size on ${adapterNames[0]}`, () => {
  let device: Device;
  let weights: Weights;

  beforeAll(async () => {
    device = await testDevice(adapterNames[0] as string);
    weights = new Weights(device, syntheticSource("flow", flowWeights(CONFIG, RATIO), /^$/), "f32");
  });
  afterAll(() => weights.destroy());

  async function run(graph: Graph, out: Tensor): Promise<Float32Array> {
    graph.keep(out);
    const program = await Program.compile(device, graph);
    try {
      program.run();
      return await program.read(out);
    } finally {
      program.destroy();
    }
  }

  describe("token encoder", () => {
    let encoder: TokenEncoder;
    beforeAll(async () => {
      encoder = await loadTokenEncoder(weights, CONFIG);
    });

    test.for([
      [
        "40 tokens, full attention",
        { tokens: 40, chunk: undefined },
        {
          values: [-0.352267, 0.549206, 1.499362, -0.128449, 1.427088, 1.322174, 0.218679, 1.177117],
          mean: 0.0047291,
          rms: 1.0005364,
        },
      ],
      [
        "40 tokens in chunks",
        { tokens: 40, chunk: 25 },
        {
          values: [-0.346492, 0.557652, 1.50679, -0.113711, 1.438831, 1.322773, 0.219198, 1.177421],
          mean: 0.0047438,
          rms: 1.0005371,
        },
      ],
      [
        "37 tokens and 3 ahead, in chunks",
        { tokens: 37, chunk: 25 },
        {
          values: [-1.110526, 1.347077, -2.151865, 0.398205, -0.058334, 1.327765, -1.75252, 0.47229],
          mean: 0.0048296,
          rms: 1.0006402,
        },
      ],
    ] as const)("%s", async ([, { tokens, chunk }, golden]) => {
      const ids = Int32Array.from({ length: 40 }, (_, i) => (977 * i + 13) % CONFIG.codes);
      const table = (frames: number): ResidentTensor =>
        device.upload("positions", [2 * frames - 1, CONFIG.width], relativePositions(frames, CONFIG.width));
      const inputs = {
        ids: device.upload("ids", [ids.length], ids, "i32"),
        positions: table(tokens),
        upPositions: table(RATIO * tokens),
      };
      const graph = new Graph("golden encoder", device.capabilities);
      const out = tokenStates(graph, encoder, CONFIG, { ...inputs, tokens, ratio: RATIO, chunk });
      expectGolden(await run(graph, out), golden);
      device.release(...Object.values(inputs).map(({ buffer }) => buffer));
    });
  });

  describe("estimator", () => {
    const FRAMES = 120;
    const TIMES = [0.1, 0.7];
    let net: Estimator;
    let table: ResidentTensor;
    beforeAll(async () => {
      const { channels, timeSinusoids: sinusoids } = CONFIG.estimator;
      const resnets = resnetNames(CONFIG.estimator);
      net = await loadEstimator(weights, CONFIG.estimator);
      const values = await timeTable(weights, TIMES, { sinusoids, resnets, channels });
      table = weights.constant("time table", [TIMES.length, resnets.length * channels], values);
    });

    /** Row b of x, mu, speaker and condition side by side: [1, T, 320]. Upstream's inputs are [2, 80, T], the speaker's [2, 80]. */
    function input(row: number): Float32Array {
      const bins = CONFIG.melBins;
      const parts = ["in.x", "in.mu", "in.spks", "in.cond"].map((name) => {
        const frames = name === "in.spks" ? 1 : FRAMES;
        return namedValues(name, bins * frames, row * bins * frames);
      });
      return Float32Array.from({ length: FRAMES * 4 * bins }, (_, i) => {
        const t = Math.floor(i / (4 * bins));
        const part = parts[Math.floor(i / bins) % 4] as Float64Array;
        const frames = part.length / bins;
        return part[(i % bins) * frames + (frames === 1 ? 0 : t)] as number;
      });
    }

    test.for([
      [
        "full attention",
        undefined,
        {
          values: [-0.046057, 0.326966, -2.068583, -0.556517, -1.007304, 0.364247, -1.272076, -0.36458],
          mean: -0.0706375,
          rms: 0.6925745,
        },
      ],
      [
        "in chunks",
        50,
        {
          values: [0.037313, 0.464004, -2.154894, -0.558727, -1.019378, 0.519933, -1.457105, -0.644529],
          mean: -0.0595661,
          rms: 0.6940714,
        },
      ],
    ] as const)("%s", async ([, chunk, golden]) => {
      const bins = CONFIG.melBins;
      const out = new Float32Array(TIMES.length * bins * FRAMES);
      for (const row of TIMES.keys()) {
        const x = device.upload("input", [1, FRAMES, 4 * bins], input(row));
        const state = device.upload("step", [1], Uint32Array.of(row), "u32");
        const graph = new Graph("golden estimator", device.capabilities);
        const options = { time: { state, table }, chunk };
        const got = await run(graph, estimator(graph, x, net, CONFIG.estimator, options));
        device.release(x.buffer, state.buffer);
        for (let i = 0; i < got.length; i++) {
          out[(row * bins + (i % bins)) * FRAMES + Math.floor(i / bins)] = got[i] as number;
        }
      }
      expectGolden(out, golden);
    });
  });
});
