import { expect, test } from "vitest";
import { changeSpeed, crossFade } from "../../src/vocoder/streaming.js";
import { expectClose } from "../helpers/compare.js";
import { uniform } from "../helpers/random.js";

test("the cross-fade keeps upstream's gain of 1.08, and what follows it", () => {
  const samples = new Float32Array(3850).fill(1);
  crossFade(samples, new Float32Array(3840).fill(1));
  expectClose(samples, [...new Array(3840).fill(1.08), ...new Array(10).fill(1)], { abs: 3e-4 });
});

test("changeSpeed interpolates along time, ends not aligned", () => {
  const mel = Float32Array.from([0, 10, 1, 20, 2, 30, 3, 40]); // 4 frames of 2 bins
  expect(changeSpeed(mel, { melBins: 2 }, 1)).toEqual(mel);
  // Half as fast: positions −0.25 (held at 0), 0.25, 0.75, 1.25, …, 3.25 (held at 3).
  const slow = changeSpeed(mel, { melBins: 2 }, 0.5);
  expectClose(
    slow.filter((_, i) => i % 2 === 0),
    [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3],
    { abs: 1e-6 },
  );
  expect([...changeSpeed(mel, { melBins: 2 }, 2)]).toEqual([0.5, 15, 2.5, 35]);
  expect(changeSpeed(uniform(1, 7 * 80), { melBins: 80 }, 1.3).length).toBe(5 * 80);
  expect(changeSpeed(new Float32Array(80), { melBins: 80 }, 2).length).toBe(0);
});
