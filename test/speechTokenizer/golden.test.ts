/**
 * The speech tokenizer at the size of the released model. Weights and inputs come from names; the values are those of S3Tokenizer on
 * the same (f32, CPU). It takes 1 GB, so it runs where `COSYVOICE_TEST_FULL_SIZE` names an adapter.
 */
import { expect, test } from "vitest";
import { release } from "../../bench/release.js";
import { SpeechTokenizer } from "../../src/speechTokenizer/speechTokenizer.js";
import { testDevice } from "../helpers/device.js";
import { namedModel } from "../helpers/namedModel.js";
import { namedValues } from "../helpers/synthetic.js";

const FRAMES = 203;

/** hidden [51, 8] at flat indices ⌊(k + 0.5)·N/8⌋. */
const VALUES = [-3.693408, -0.226097, -7.919445, 2.555327, 1.186555, -1.217266, -3.629889, -1.650886];
const MEAN = -0.7749571;
const RMS = 3.8105045;

/** The nearest projected value lies 1.5e-4 from the edge of a level. */
const IDS = [
  648, 408, 176, 1458, 168, 4785, 2130, 162, 1662, 810, 1950, 6, 234, 1401, 216, 915, 6498, 168, 4878, 666, 3017, 181,
  188, 828, 180, 5805, 1621, 2132, 2847, 1395, 188, 1620, 971, 4335, 1638, 909, 177, 2108, 1881, 915, 3831, 165, 5559,
  5046, 3123, 8, 162, 672, 187, 222, 5509,
];

const adapter = process.env.COSYVOICE_TEST_FULL_SIZE;

test.runIf(adapter)(
  "full size, on the adapter that COSYVOICE_TEST_FULL_SIZE names",
  { timeout: 1_800_000 },
  async () => {
    const device = await testDevice(adapter as string);
    const tokenizer = await SpeechTokenizer.load(device, namedModel(release));
    const { melBins } = release.speechTokenizer;
    const columns = namedValues("in.whisper_mel", FRAMES * melBins); // [melBins, F]
    const mel = Float32Array.from(
      columns,
      (_, i) => columns[(i % melBins) * FRAMES + Math.floor(i / melBins)] as number,
    );
    const { ids, hidden } = await tokenizer.run(mel);
    const worst = Math.max(
      ...VALUES.map((want, k) => {
        const index = Math.floor(((k + 0.5) * hidden.length) / VALUES.length);
        return Math.abs((hidden[index] as number) - want);
      }),
    );
    const rms = Math.sqrt(hidden.reduce((sum, v) => sum + v * v, 0) / hidden.length);
    console.log(`${adapter}: worst difference ${worst.toExponential(1)}, rms ${rms}`, device.memory);
    expect(worst).toBeLessThan(1e-4 * RMS);
    expect(hidden.reduce((sum, v) => sum + v, 0) / hidden.length).toBeCloseTo(MEAN, 4);
    expect(rms).toBeCloseTo(RMS, 4);
    expect([...ids]).toEqual(IDS);
    tokenizer.destroy();
    expect(device.memory.buffers).toBe(0);
  },
);
