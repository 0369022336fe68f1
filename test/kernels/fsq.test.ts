import { describe, expect, test } from "vitest";
import { fsq } from "../../kernels/fsq.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { fsq as reference } from "../reference/fsq.js";

async function ids(adapter: string, hidden: Float32Array, dims: number): Promise<Uint32Array> {
  const frames = hidden.length / dims;
  const operands = { hidden: { shape: [frames, dims], data: hidden }, ids: { shape: [frames] } };
  const { ids: out } = await runKernel(await testDevice(adapter), fsq, {}, { frames, dims }, operands);
  return new Uint32Array((out as Float32Array).buffer);
}

describe.each(adapterNames)("fsq on %s", (adapter) => {
  test("equals the reference at awkward shapes, beyond one dimension of workgroups too", async () => {
    for (const [frames, dims] of [
      [1, 1],
      [65, 8],
      [13, 16],
      [64 * 65_535 + 1, 1],
    ] as const) {
      const hidden = uniform(frames, frames * dims, -2, 2);
      const want = reference(hidden, dims);
      const got = await ids(adapter, hidden, dims);
      expect(got.length).toBe(frames);
      // The first difference, since showing millions of equal ids takes minutes.
      expect(
        got.findIndex((id, t) => id !== want[t]),
        `${frames} of ${dims}`,
      ).toBe(-1);
    }
  });

  test("decides as the scaled tanh does on both sides of an edge, at 0 and far away", async () => {
    const edge = Math.atanh(0.5 / 0.9990000128746033);
    const near = [edge - 1e-6, edge + 1e-6, 0, 1e-30, 100, 3e38];
    const hidden = Float32Array.from([...near, ...near.map((v) => -v)]);
    const want = [1, 2, 1, 1, 2, 2, 1, 0, 1, 1, 0, 0];
    expect([...(await ids(adapter, hidden, 1))]).toEqual(want);
    expect([...reference(hidden, 1)]).toEqual(want);
  });
});
