import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openFolder } from "#platform";
import { benchEars } from "../../bench/ears.js";
import type { Peers } from "../../bench/onnxRuntime.js";
import { openModel } from "../../src/checkpoint/model.js";
import { SpeakerEncoder } from "../../src/speaker/speakerEncoder.js";
import { adapterNames, testDevice } from "../helpers/device.js";

const folder = fileURLToPath(new URL("../bundles/c/model", import.meta.url));

test("who computes the same is timed beside the engine; others are named with the reason", {
  timeout: 600_000,
}, async () => {
  const device = await testDevice(adapterNames.at(-1) as string);
  const before = device.memory.buffers;
  const model = await openModel(await openFolder(folder));
  const shapes: (readonly (readonly number[])[])[] = [];
  let destroyed = 0;
  const peers: Peers = {
    version: "1.0.0",
    providers: ["own", "zeros", "none"],
    missing: ["there is no provider x"],
    async open(file, provider, inputs) {
      if (provider === "none") throw new Error("no such graph");
      shapes.push(inputs.map(({ dims }) => dims));
      if (provider === "zeros" || file !== "campplus.onnx") {
        const output = new Int32Array(250);
        return { name: provider, run: async () => output, destroy: () => void destroyed++ };
      }
      const net = await SpeakerEncoder.load(device, model);
      const run = () => net.run(inputs[0]?.data as Float32Array);
      return { name: provider, run, destroy: () => net.destroy() };
    },
  };
  const { rows, missing, onnxRuntime } = await benchEars(device, model, { seconds: 0.01, peers });
  expect(onnxRuntime).toBe("1.0.0");
  expect(shapes[0]).toEqual([[1, 128, 1000], [1]]);
  expect(shapes.at(-1)).toEqual([[1, 998, 80]]);
  expect(rows.map(({ net, by, agreement }) => [net, by, agreement])).toEqual([
    ["speech tokenizer v2", "this engine", undefined],
    ["speaker encoder CAM++", "this engine", undefined],
    ["speaker encoder CAM++", "own", "cosine 1.0000000"],
  ]);
  for (const { ms, firstMs, rounds } of rows) expect(Math.min(ms, firstMs, rounds - 2)).toBeGreaterThan(0);
  expect(rows[2]?.ratio).toBeGreaterThan(0);
  expect(missing[0]).toBe("there is no provider x");
  expect(missing).toContain("speaker encoder CAM++, onnxruntime none: no such graph");
  expect(missing.filter((line) => line.includes("not timed, its output is another one"))).toHaveLength(3);
  expect(destroyed).toBe(3);
  expect(device.memory.buffers).toBe(before);
  await model.close();
});
