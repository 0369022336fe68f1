import { expect, test } from "vitest";
import { segmentLengths } from "../../src/lm/kvCache.js";

test("four segments double and hold what was asked for", () => {
  expect(segmentLengths(1, 512)).toEqual([512, 512, 1024, 2048]);
  expect(segmentLengths(4096, 512)).toEqual([512, 512, 1024, 2048]);
  expect(segmentLengths(4097, 512)).toEqual([1024, 1024, 2048, 4096]);
  for (const positions of [1, 7, 100, 32_768]) {
    expect(segmentLengths(positions, 2).reduce((a, b) => a + b)).toBeGreaterThanOrEqual(positions);
  }
});
