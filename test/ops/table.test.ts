import { describe, expect, test } from "vitest";
import type { WeightSource } from "../../src/checkpoint/model.js";
import type { Device } from "../../src/gpu/device.js";
import { Graph } from "../../src/gpu/graph.js";
import { Program } from "../../src/gpu/program.js";
import { embed } from "../../src/ops/embed.js";
import { Weights } from "../../src/ops/weights.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { uniform } from "../helpers/random.js";

const [ROWS, WIDTH] = [23, 10];
const VALUES = uniform(1, ROWS * WIDTH);

/** One table of whole floats. */
const source: WeightSource = {
  component: "lm",
  names: () => ["table"],
  has: (name) => name === "table",
  info: () => ({ shape: [ROWS, WIDTH], dtype: "F32", elements: VALUES.length }),
  read: async () => VALUES,
  readSlice: async (_, start, count) => VALUES.slice(start, start + count),
  readBytes: async (_, __, start, count) => new Uint8Array(VALUES.slice(start, start + count).buffer),
};

describe.each(adapterNames)("a table longer than a binding on %s", (adapter) => {
  test("is held in pieces that each fit, and gathers like one", async () => {
    const real = await testDevice(adapter);
    // A binding of 5 padded rows.
    const maxBinding = 5 * 12 * 4 + 8;
    const device: Device = Object.create(real, { capabilities: { value: { ...real.capabilities, maxBinding } } });
    const weights = new Weights(device, source, "f32");
    const ids = real.upload("ids", [6], Int32Array.of(0, 4, 5, 22, 9, 10), "i32");
    try {
      const table = await weights.table("table");
      expect(table.pieces.map(({ rows }) => rows)).toEqual([5, 5, 5, 5, 3]);
      const g = new Graph("gather", device.capabilities);
      const out = g.keep(g.temp("out", [6, WIDTH]));
      embed(g, table, ids, out, { firstId: 0, count: 6, outRow: 0 });
      const program = await Program.compile(device, g);
      program.run();
      const got = await program.read(out);
      program.destroy();
      const want = [0, 4, 5, 22, 9, 10].flatMap((row) => [...VALUES.subarray(row * WIDTH, (row + 1) * WIDTH)]);
      expect([...got]).toEqual(want);
    } finally {
      weights.destroy();
      real.release(ids.buffer);
    }
  });
});
