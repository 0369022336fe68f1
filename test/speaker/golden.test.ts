/**
 * The speaker encoder at the size of the released model. Weights and inputs come from names; the values are those of the official code
 * on the same (f32, CPU): 8 spread over each result, then its mean and root mean square.
 */
import { expect, test } from "vitest";
import { release } from "../../bench/release.js";
import type { WeightSource } from "../../src/checkpoint/model.js";
import type { SpeakerConfig } from "../../src/config.js";
import { Graph } from "../../src/gpu/graph.js";
import { Program } from "../../src/gpu/program.js";
import { Weights } from "../../src/ops/weights.js";
import { camPlus, denseLayers, head, loadCamPlus, timeDelay } from "../../src/speaker/camPlus.js";
import { speakerWeights } from "../../weights/speaker.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { namedTensor, namedValues } from "../helpers/synthetic.js";

const CONFIG: SpeakerConfig = release.speaker;

/** The batch norm that the released file has folded into a convolution. */
function normBehind(convolution: string): string | undefined {
  const last = `xvector.transit${CONFIG.blocks.length}.linear`;
  if (convolution === last) return "xvector.out_nonlinear.batchnorm";
  if (convolution === "xvector.tdnn.linear") return "xvector.tdnn.nonlinear.batchnorm";
  if (convolution.startsWith("head."))
    return convolution.replace(/conv(\d)$/, "bn$1").replace(/shortcut\.0$/, "shortcut.1");
  return /tdnnd\d+\.linear1$/.test(convolution) ? convolution.replace(/linear1$/, "nonlinear2.batchnorm") : undefined;
}

/** The tensors of the file: made from the names of the state dict, then folded. */
function read(name: string, shape: readonly number[]): Float32Array {
  const norm = normBehind(name.replace(/\.(weight|bias)$/, ""));
  if (norm === undefined) return namedTensor(name, shape);
  const [out = 0] = shape;
  const part = (kind: string) => namedTensor(`${norm}.${kind}`, [out]);
  const [gain, offset, mean, variance] = [part("weight"), part("bias"), part("running_mean"), part("running_var")];
  const scale = gain.map((g, o) => g / Math.sqrt((variance[o] as number) + 1e-5));
  if (name.endsWith(".bias")) return offset.map((b, o) => b - (mean[o] as number) * (scale[o] as number));
  const weight = namedTensor(name, shape);
  return weight.map((w, i) => w * (scale[Math.floor((i * out) / weight.length)] as number));
}

function foldedSource(): WeightSource {
  const table = speakerWeights(CONFIG);
  const shapeOf = (name: string): readonly number[] => table.get(name) ?? [];
  const slice = (name: string, start: number, count: number) => read(name, shapeOf(name)).slice(start, start + count);
  return {
    component: "speaker",
    names: () => [...table.keys()],
    has: (name) => table.has(name),
    info: (name) => ({ shape: shapeOf(name), dtype: "F32", elements: shapeOf(name).reduce((n, d) => n * d, 1) }),
    read: async (name) => read(name, shapeOf(name)),
    readSlice: async (name, start, count) => slice(name, start, count),
    readBytes: async (name, _dtype, start, count) => new Uint8Array(slice(name, start, count).buffer),
  };
}

interface Golden {
  readonly values: readonly number[];
  readonly mean: number;
  readonly rms: number;
}

function expectGolden(what: string, got: Float32Array, { values, mean, rms }: Golden): void {
  for (const [k, want] of values.entries()) {
    const index = Math.floor(((k + 0.5) * got.length) / values.length);
    expect(Math.abs((got[index] as number) - want), `${what} ${index}: ${got[index]}, not ${want}`).toBeLessThan(
      1e-4 * rms,
    );
  }
  expect(got.reduce((sum, v) => sum + v, 0) / got.length, what).toBeCloseTo(mean, 5);
  expect(Math.sqrt(got.reduce((sum, v) => sum + v * v, 0) / got.length), what).toBeCloseTo(rms, 5);
}

/** The engine's [a, b, c] in the order of the reference, [c, a, b]. */
function lastFirst(data: Float32Array, last: number): Float32Array {
  const rest = data.length / last;
  return data.map((_, i) => data[(i % rest) * last + Math.floor(i / rest)] as number);
}

// One adapter, the fastest: the kernels are tested on all of them.
test.each([
  {
    frames: 98,
    head: {
      values: [0.342561, 0.101031, 0.0, 0.0, 0.0, 0.267122, 0.272757, 0.149483],
      mean: 0.3763059,
      rms: 0.7577553,
    },
    tdnn: {
      values: [0.0, 0.677097, 0.848924, 0.147947, 0.0, 1.071908, 0.203762, 0.950267],
      mean: 0.2938689,
      rms: 0.5377192,
    },
    block: {
      values: [0.0, 0.0, -0.017866, 0.180121, -0.042175, -0.037406, 0.054629, 0.052033],
      mean: 0.0755265,
      rms: 0.2994578,
    },
    embedding: {
      values: [0.064316, 0.019478, -0.142382, 0.019442, 0.111037, 0.018305, 0.010955, -0.075226],
      mean: -0.019865,
      rms: 0.098909,
    },
  },
  {
    frames: 298,
    head: { values: [0.0, 0.332905, 0.053958, 0.0, 0.0, 0.0, 0.0, 0.0], mean: 0.3824547, rms: 0.7684792 },
    tdnn: {
      values: [0.0, 1.088497, 0.0, 0.0, 0.0, 0.462395, 0.050236, 0.554165],
      mean: 0.2952417,
      rms: 0.5427939,
    },
    block: {
      values: [0.0, 0.0, -0.030231, 0.170363, 0.002958, -0.0943, 0.048828, 0.064612],
      mean: 0.0763309,
      rms: 0.3021,
    },
    embedding: {
      values: [0.06386, 0.017626, -0.142221, 0.019273, 0.112463, 0.018218, 0.013849, -0.072703],
      mean: -0.020265,
      rms: 0.0990248,
    },
  },
])(
  `speaker encoder at full size on ${adapterNames[0]}, $frames frames`,
  async ({ frames, ...golden }) => {
    const device = await testDevice(adapterNames[0] as string);
    const { melBins, headChannels, tdnnChannels } = CONFIG;
    const weights = new Weights(device, foldedSource(), "f32");
    const net = await loadCamPlus(weights, CONFIG);
    const rows = namedValues(`in.fbank${frames}`, frames * melBins); // [T, melBins]
    const input = Float32Array.from(
      rows,
      (_, i) => 3 * (rows[(i % frames) * melBins + Math.floor(i / frames)] as number),
    );
    const fbank = device.upload("fbank", [melBins, frames, 1], input);
    const g = new Graph("golden speaker", device.capabilities);
    const heard = g.keep(head(g, fbank, net));
    const tdnn = g.keep(timeDelay(g, heard, net));
    const first = net.blocks[0];
    const block = g.keep(denseLayers(g, tdnn, { layers: first?.layers ?? [], dilation: first?.dilation ?? 1 }));
    const embedding = g.keep(camPlus(g, fbank, net));
    const program = await Program.compile(device, g);
    program.run();
    expectGolden("head", lastFirst(await program.read(heard), headChannels), golden.head);
    expectGolden("tdnn", lastFirst(await program.read(tdnn), tdnnChannels), golden.tdnn);
    expectGolden("block1", lastFirst(await program.read(block), block.shape[1] as number), golden.block);
    expectGolden("embedding", await program.read(embedding), golden.embedding);
    program.destroy();
    device.release(fbank.buffer);
    weights.destroy();
  },
  600_000,
);
