/** The vocoder against PyTorch: every case of the stages vocoder and source of the reference bundles. */

import { describe, expect, test } from "vitest";
import { openFolder } from "#platform";
import { openModel } from "../../src/checkpoint/model.js";
import type { Device } from "../../src/gpu/device.js";
import { openBundle } from "../../src/parity/bundle.js";
import { difference } from "../../src/parity/judge.js";
import { Vocoder } from "../../src/vocoder/vocoder.js";
import { BUNDLES } from "../helpers/bundles.js";
import { adapterNames, testDevice } from "../helpers/device.js";

/** The same device, for which kernels are chosen as for a hardware GPU. */
function withGpuKernels(device: Device): Device {
  const { capabilities } = device;
  const value = { ...capabilities, adapter: { ...capabilities.adapter, software: false } };
  return Object.create(device, { capabilities: { value } }) as Device;
}

const RUNS = adapterNames.flatMap((adapter) =>
  BUNDLES.flatMap((bundle) =>
    (["f32", "f16"] as const).map((dtype) => ({ adapter, dtype, kernels: "its own", ...bundle })),
  ),
);
// A CPU adapter gets other convolutions than a GPU does; once, it must run those of a GPU too.
const asGpu = { adapter: adapterNames[0] as string, dtype: "f32" as const, kernels: "a GPU's" };

describe.each([...RUNS, ...BUNDLES.slice(0, 1).map((bundle) => ({ ...asGpu, ...bundle }))])(
  "vocoder on $adapter with $kernels kernels, bundle $name, $dtype",
  ({ adapter, path, dtype, kernels }) => {
    test("reproduces f0, source and samples, and frees its buffers", async () => {
      const opened = await testDevice(adapter);
      const device = kernels === "a GPU's" ? withGpuKernels(opened) : opened;
      const before = device.memory.buffers;
      const bundle = await openBundle(await openFolder(path));
      const model = await openModel(await openFolder(`${path}/model`), { dtype });
      const vocoder = await Vocoder.load(device, model);
      const { melBins, overtones } = vocoder.config;
      const close = (got: Float32Array, want: Float32Array, limit: number, what: string): void => {
        expect(got.length, what).toBe(want.length);
        const { rel } = difference(got, want);
        if (process.env.COSYVOICE_TEST_PRINT) console.log(`${adapter} ${dtype} ${what}: ${rel.toExponential(2)}`);
        expect(rel, what).toBeLessThan(limit);
      };
      const seen = new Set<string>();
      for (const reference of bundle.cases) {
        const { stage, name } = reference;
        seen.add(stage);
        if (stage === "vocoder") {
          const mel = await reference.floats("mel", [null, melBins]);
          const source = await reference.floats("source", [null]);
          source.set(await reference.floats("cache_source", [null]));
          // The pitch is computed in f32 whatever the weights are.
          close(await vocoder.f0(mel), await reference.floats("f0", [null]), 2e-6, `vocoder/${name}/f0`);
          const limit = dtype === "f32" ? 3e-5 : 3e-2;
          close(await vocoder.decode(mel, source), await reference.floats("samples", [null]), limit, `vocoder/${name}`);
        } else if (stage === "source") {
          const noise = await reference.floats("noise", [null, overtones + 1]);
          const got = vocoder.source({ f0: await reference.floats("f0", [null]), noise });
          close(got, await reference.floats("source", [null]), 1e-6, `source/${name}`);
        }
      }
      expect([...seen]).toEqual(expect.arrayContaining(["vocoder", "source"]));
      vocoder.destroy();
      expect(device.memory.buffers).toBe(before);
      await model.close();
      await bundle.close();
    });
  },
);
