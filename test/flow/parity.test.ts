/** The flow against PyTorch: every case of the stages noise, flow_mask and flow of the committed bundles. */

import { describe, expect, test } from "vitest";
import { openFolder } from "#platform";
import { openModel } from "../../src/checkpoint/model.js";
import { Flow } from "../../src/flow/flow.js";
import { openBundle } from "../../src/parity/bundle.js";
import { difference } from "../../src/parity/judge.js";
import { BUNDLES } from "../helpers/bundles.js";
import { adapterNames, testDevice } from "../helpers/device.js";

/** [cols, rows] of the reference, which is channel-first, to the engine's [rows, cols]. */
function transposed(data: Float32Array, cols: number, rows: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let c = 0; c < cols; c++) for (let r = 0; r < rows; r++) out[r * cols + c] = data[c * rows + r] as number;
  return out;
}

/** Relative; the reference itself is 1e-6 from double precision. */
const LIMIT = 2e-5;

/** An f16 model keeps the flow whole (see `mayBeHalf`), so one type covers both. */
const RUNS = adapterNames.flatMap((adapter) => BUNDLES.map((bundle) => ({ adapter, ...bundle })));

describe.each(RUNS)("flow on $adapter, bundle $name", ({ adapter, path }) => {
  test("reproduces noise, masks, speaker, mu, velocity and mel, and frees its buffers", async () => {
    const device = await testDevice(adapter);
    const before = device.memory.buffers;
    const bundle = await openBundle(await openFolder(path));
    const model = await openModel(await openFolder(`${path}/model`));
    const flow = await Flow.load(device, model);
    const { melBins, speakerWidth } = flow.config;
    const close = (got: Float32Array, want: Float32Array, limit: number, what: string): void => {
      const { rel } = difference(got, want);
      if (process.env.COSYVOICE_TEST_PRINT) console.log(`${adapter} ${what}: ${rel.toExponential(2)}`);
      expect(rel, what).toBeLessThan(limit);
    };
    const seen = new Set<string>();
    for (const reference of bundle.cases) {
      const { stage, name } = reference;
      seen.add(stage);
      if (stage === "noise") {
        const frames = await reference.number("frames");
        const want = transposed(await reference.floats("noise", [melBins, frames]), melBins, frames);
        close(flow.noise(frames), want, 2e-6, `noise/${name}`);
      } else if (stage === "flow_mask") {
        const { data } = await reference.read("mask");
        const mask = await flow.mask(await reference.number("frames"), await reference.number("chunk"));
        expect(mask, `flow_mask/${name}`).toEqual(Uint32Array.from(data));
      } else if (stage === "flow") {
        const out = await flow.run({
          token: await reference.ids("token"),
          promptToken: await reference.ids("prompt_token"),
          promptFeat: await reference.floats("prompt_feat", [null, melBins]),
          embedding: await reference.floats("embedding", [speakerWidth]),
          streaming: (await reference.number("streaming")) === 1,
          finalize: (await reference.number("finalize")) === 1,
          inspect: true,
        });
        const frames = out.mu.length / melBins;
        close(out.spks, await reference.floats("spks", [melBins]), 1e-6, `flow/${name}/spks`);
        close(out.mu, await reference.floats("mu", [frames, melBins]), LIMIT, `flow/${name}/mu`);
        const velocity = await reference.floats("velocity", [2, melBins, frames]);
        for (const row of [0, 1]) {
          const part = (data: Float32Array) => data.subarray(row * frames * melBins, (row + 1) * frames * melBins);
          const want = transposed(part(velocity), melBins, frames);
          close(part(out.velocity), want, LIMIT, `flow/${name}/velocity[${row}]`);
        }
        const mel = await reference.floats("mel", [melBins, null]);
        close(out.mel, transposed(mel, melBins, mel.length / melBins), LIMIT, `flow/${name}/mel`);
      }
    }
    expect([...seen]).toEqual(expect.arrayContaining(["noise", "flow_mask", "flow"]));
    flow.destroy();
    expect(device.memory.buffers).toBe(before);
    await model.close();
    await bundle.close();
  });
});
