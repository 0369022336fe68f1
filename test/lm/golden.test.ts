/**
 * The language model at its full size against numbers of the official code (Qwen2LM, f32 on CPU, transformers 4.51.3) with weights
 * made from names. It takes 2 GB and minutes, so it runs where `COSYVOICE_TEST_FULL_SIZE` names an adapter.
 */

import { expect, test } from "vitest";
import { release } from "../../bench/release.js";
import type { LmConfig } from "../../src/config.js";
import { LanguageModel } from "../../src/lm/lm.js";
import { testDevice } from "../helpers/device.js";
import { syntheticLm } from "../helpers/tinyLm.js";

const FULL: LmConfig = release.lm;

const ids = (count: number, step: number, first: number, modulus: number) =>
  Array.from({ length: count }, (_, i) => (step * i + first) % modulus);
const TEXT = ids(20, 7919, 101, 151_643);
const PROMPT = ids(10, 977, 13, 6561);
const FORCED = ids(6, 31, 5, 6561);

/** logprobs [7, 6564] at flat indices ⌊(k + 0.5)·N/8⌋. */
const VALUES = [-8.87868, -8.62019, -8.96087, -8.40034, -8.01238, -8.01781, -9.66133, -10.7892];
const RMS = 9.349041;
const BEST = [4205, 1026, 5425, 5826, 3381, 5826, 3499];
const GREEDY = [
  4205, 3695, 698, 3975, 3695, 4055, 5702, 2334, 1026, 5826, 5647, 1829, 4205, 3695, 1180, 1026, 96, 1026, 1026, 1026,
  3695, 1180, 2983, 1180, 2983, 1180, 3695, 5647, 1180, 3695, 1026, 1026, 5647, 5647, 5647, 5647, 5647, 5647, 5647,
  5647,
];

const adapter = process.env.COSYVOICE_TEST_FULL_SIZE;

test.runIf(adapter).each(["f32", "f16"] as const)(
  "full size, %s, on the adapter that COSYVOICE_TEST_FULL_SIZE names",
  { timeout: 1_800_000 },
  async (dtype) => {
    const device = await testDevice(adapter as string);
    const lm = await LanguageModel.load(device, syntheticLm(FULL, dtype));
    const logprobs = await lm.logprobs(TEXT, PROMPT, FORCED);
    const got = VALUES.map((_, k) => logprobs[Math.floor(((k + 0.5) * logprobs.length) / VALUES.length)] as number);
    const worst = Math.max(...got.map((v, k) => Math.abs(v - (VALUES[k] as number))));
    const rms = Math.sqrt(logprobs.reduce((sum, v) => sum + v * v, 0) / logprobs.length);
    console.log(`${adapter} ${dtype}: worst difference ${worst.toExponential(1)}, rms ${rms}`);
    expect(worst).toBeLessThan(dtype === "f32" ? 1e-4 * RMS : 1e-2 * RMS);
    expect(Math.abs(rms - RMS)).toBeLessThan(dtype === "f32" ? 1e-4 : 1e-2);
    if (dtype === "f32") {
      const best = BEST.map((_, row) => {
        const part = logprobs.subarray(row * FULL.speechRows, (row + 1) * FULL.speechRows);
        return part.indexOf(part.reduce((a, b) => Math.max(a, b)));
      });
      expect(best).toEqual(BEST);
      expect([...(await lm.greedy(TEXT, PROMPT, GREEDY.length)).ids]).toEqual(GREEDY);
    }
    const { stats } = await lm.generate({ textIds: TEXT, promptSpeechIds: PROMPT, seed: 1, minRatio: 2, maxRatio: 2 });
    console.log(stats, device.memory);
    expect(stats.dispatchesPerToken).toBeLessThanOrEqual(150);
    expect(stats.submits).toBeLessThanOrEqual(1 + Math.ceil(stats.tokens / 8));
    lm.destroy();
    expect(device.memory.buffers).toBe(0);
  },
);
