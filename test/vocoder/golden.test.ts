/**
 * The vocoder at the size of the released model. Weights and inputs come from names; the values are those of the official code on
 * the same (f32, CPU): 8 spread over each result, then its mean and root mean square.
 */
import { describe, expect, test } from "vitest";
import { release } from "../../bench/release.js";
import type { VocoderConfig } from "../../src/config.js";
import { Graph } from "../../src/gpu/graph.js";
import { Program } from "../../src/gpu/program.js";
import { stft } from "../../src/ops/vocoder.js";
import { Weights } from "../../src/ops/weights.js";
import { hiftSpectrum, loadHift } from "../../src/vocoder/hift.js";
import { loadPitch, pitch } from "../../src/vocoder/pitch.js";
import { harmonicSource } from "../../src/vocoder/source.js";
import { vocoderWeights } from "../../weights/vocoder.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { namedTensor, namedValues, syntheticSource } from "../helpers/synthetic.js";

const CONFIG: VocoderConfig = release.vocoder;
const FRAMES = 20;

/** [rows, cols] to [cols, rows]: upstream is channel-first. */
function transposed(data: ArrayLike<number>, rows: number, cols: number): Float32Array {
  return Float32Array.from({ length: rows * cols }, (_, i) => data[(i % rows) * cols + Math.floor(i / rows)] as number);
}

function expectGolden(got: ArrayLike<number>, values: readonly number[], mean: number, rms: number): void {
  const all = Array.from(got);
  const tolerance = 1e-4 * rms + 1e-6;
  for (const [k, want] of values.entries()) {
    const index = Math.floor(((k + 0.5) * all.length) / values.length);
    expect(Math.abs((all[index] as number) - want), `value ${index}: ${all[index]}, expected ${want}`).toBeLessThan(
      tolerance,
    );
  }
  expect(all.reduce((sum, v) => sum + v, 0) / all.length).toBeCloseTo(mean, 5);
  expect(Math.sqrt(all.reduce((sum, v) => sum + v * v, 0) / all.length)).toBeCloseTo(rms, 4);
}

// One adapter, the fastest: the kernels are tested on all of them, and this is 12 billion operations.
describe(`at full size on ${adapterNames[0]}`, () => {
  test("f0, the source's spectrum and the last layer have the official code's values", async () => {
    const device = await testDevice(adapterNames[0] as string);
    const normed = /^(conv_pre|conv_post|ups|f0_predictor\.condnet)\b.*\.weight$|resblocks.*\.convs.*\.weight$/;
    const weights = new Weights(device, syntheticSource("vocoder", vocoderWeights(CONFIG), normed), "f32");
    const samples = FRAMES * 480;
    const mel = input("in.mel", 80 * FRAMES, 2, -4);
    const melTensor = device.upload("mel", [FRAMES, 80], transposed(mel, 80, FRAMES));
    const source = device.upload("source", [samples], input("in.source", samples, 0.1, 0));
    const graph = new Graph("golden", device.capabilities);
    const net = await loadHift(weights, CONFIG);
    const f0 = graph.keep(pitch(graph, melTensor, await loadPitch(weights, CONFIG)));
    const spectrum = graph.keep(stft(graph, source, net.fourier));
    const last = graph.keep(hiftSpectrum(graph, melTensor, source, net, CONFIG));
    const program = await Program.compile(device, graph);
    program.run();

    expectGolden(
      (await program.read(f0)).map(Math.abs),
      [0.578628, 0.618272, 1.515869, 0.711057, 0.321273, 0.658434, 1.026386, 1.179565],
      0.7644645,
      0.8242792,
    );
    const frames = FRAMES * 120 + 1;
    expectGolden(
      transposed(await program.read(spectrum), frames, 18),
      [0.033629, -0.058718, -0.081816, 0.239523, 0.16978, 0.003962, -0.039317, -0.017036],
      -3.06e-5,
      0.1001989,
    );
    expectGolden(
      transposed(await program.read(last), frames, 18),
      [1.033238, -1.452983, 2.286591, -1.203597, 1.019776, 1.297015, 0.883121, 0.565083],
      -0.0456451,
      2.3553445,
    );
    program.destroy();
    weights.destroy();
    device.release(melTensor.buffer, source.buffer);
  });

  test("the source with given noise has the official code's values", () => {
    const voiced = input("in.f0", 17, 1, 0);
    const f0 = Float32Array.from({ length: 30 }, (_, i) => {
      if (i >= 3 && i < 20) return Math.fround(Math.abs(voiced[i - 3] as number) * 200) + 80;
      return i >= 22 && i <= 25 ? 9 : 0;
    });
    const noise = input("in.noise", 30 * 480 * 9, 1, 0);
    const weight = namedTensor("m_source.l_linear.weight", [1, 9]);
    const bias = namedTensor("m_source.l_linear.bias", [1])[0] as number;
    expectGolden(
      harmonicSource(f0, noise, { weight, bias }, CONFIG, 24_000),
      [-0.082408, -0.075467, -0.123827, -0.111109, -0.083758, -0.06991, -0.064489, -0.109927],
      -0.0829884,
      0.0983708,
    );
  });
});

/** scale · v + offset of the values of an input's name. */
function input(name: string, count: number, scale: number, offset: number): Float32Array {
  return Float32Array.from(namedValues(name, count), (v) => scale * Math.fround(v) + offset);
}
