import { describe, expect, test } from "vitest";
import { Graph } from "../../src/gpu/graph.js";
import { Program } from "../../src/gpu/program.js";
import { leakyMean } from "../../src/ops/vocoder.js";
import { adapterNames, testDevice } from "../helpers/device.js";

describe.each(adapterNames)("a leaky mean on %s", (adapter) => {
  test.each([1, 2, 3])("of %i tensors", async (count) => {
    const device = await testDevice(adapter);
    const values = [
      [4, -8, 1, 0, -3],
      [2, -4, -7, 0, 1],
      [0, 3, 6, -3, -1],
    ].slice(0, count);
    const inputs = values.map((row, i) => device.upload(`x${i}`, [5], Float32Array.from(row)));
    const g = new Graph("mean", device.capabilities);
    const out = g.keep(leakyMean(g, inputs, 0.5));
    const program = await Program.compile(device, g);
    try {
      program.run();
      const means = [0, 1, 2, 3, 4].map((i) => values.reduce((sum, row) => sum + (row[i] as number), 0) / count);
      const want = means.map((mean) => (mean > 0 ? mean : mean / 2));
      for (const [i, got] of (await program.read(out)).entries()) expect(got).toBeCloseTo(want[i] as number, 6);
    } finally {
      program.destroy();
      device.release(...inputs.map(({ buffer }) => buffer));
    }
  });
});
