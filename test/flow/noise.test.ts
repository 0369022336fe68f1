import { describe, expect, test } from "vitest";
import { flowNoise, torchNormal } from "../../src/flow/noise.js";
import { expectClose } from "../helpers/compare.js";

const CHANNELS = 80;
const FRAMES = 15_000;

describe("noise", () => {
  test("is torch.randn at seed 0", () => {
    const values = torchNormal(0, CHANNELS * FRAMES);
    // Printed by torch 2.13 on a CPU.
    const start = [-1.1258398, -1.1523602, -0.2505786, -0.4338788, 0.8487104, 0.6920092, -0.3160128, -2.1152194];
    expectClose(values.subarray(0, 8), start, { abs: 5e-6 });
    for (const [index, value] of [
      [15_000, 0.8691794],
      [600_000, -2.3171363],
      [1_199_999, -0.0832944],
    ] as const) {
      expect(values[index]).toBeCloseTo(value, 5);
    }
    const squares = values.reduce((sum, v) => sum + v * v, 0);
    expect(squares).toBeCloseTo(1199689.953, 1);
  });

  test("is laid out by channel, so that a longer utterance begins with the same noise", () => {
    const values = torchNormal(0, CHANNELS * FRAMES);
    const short = flowNoise(CHANNELS, FRAMES, 3);
    const long = flowNoise(CHANNELS, FRAMES, 100);
    expect(long.subarray(0, short.length)).toEqual(short);
    expect(short[2 * CHANNELS + 79]).toBe(values[79 * FRAMES + 2]);
  });
});
