/** What the flow computes on the host at load: the solver's times, the sinusoids. Values as upstream prints them in f32. */
import { describe, expect, test } from "vitest";
import { cosineSchedule } from "../../src/flow/eulerSolver.js";
import { relativePositions, timeSinusoids } from "../../src/flow/positions.js";
import { expectClose } from "../helpers/compare.js";

const TIMES = [
  0, 0.01231163740158081, 0.04894345998764038, 0.10899347066879272, 0.19098299741744995, 0.2928932309150696,
  0.41221481561660767, 0.5460094809532166, 0.6909830570220947, 0.8435655236244202,
];
const STEPS = [
  0.01231163740158081, 0.03663182258605957, 0.060050010681152344, 0.08198952674865723, 0.10191023349761963,
  0.11932158470153809, 0.1337946653366089, 0.14497357606887817, 0.15258246660232544, 0.15643447637557983,
];

describe("flow on the host", () => {
  test("ten cosine steps", () => {
    const { times, dt } = cosineSchedule(10);
    expectClose(times, TIMES, { abs: 6e-8 });
    expectClose(dt, STEPS, { abs: 1.2e-7 });
  });

  test("relative positions: the middle row is offset 0, rows mirror each other in their sines", () => {
    const [frames, width] = [5, 6];
    const table = relativePositions(frames, width);
    const row = (r: number): number[] => [...table.subarray(r * width, (r + 1) * width)];
    expect(table.length).toBe((2 * frames - 1) * width);
    expect(row(frames - 1)).toEqual([0, 1, 0, 1, 0, 1]);
    expectClose(row(0).slice(0, 2), [Math.sin(4), Math.cos(4)], { abs: 1e-7 });
    expectClose(
      row(8),
      row(0).map((v, i) => (i % 2 === 0 ? -v : v)),
      { abs: 1e-7 },
    );
  });

  test("time sinusoids: all sines first, frequencies from 1000 to a tenth", () => {
    const t = 0.5;
    const values = timeSinusoids(t, 8);
    expectClose(values.subarray(0, 1), [Math.sin(500)], { abs: 1e-6 });
    expectClose(values.subarray(3, 5), [Math.sin(0.05), Math.cos(500)], { abs: 1e-6 });
  });
});
