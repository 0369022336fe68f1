import { describe, test } from "vitest";
import { stft } from "../../kernels/stft.js";
import { fourierTables } from "../../src/ops/vocoder.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { stft as reference } from "../reference/stft.js";

/** The shortest signal that can be reflected, the model's sizes, a signal that no hop divides, more workgroups than one dimension. */
const SHAPES = [
  { samples: 9, size: 16, hop: 4 },
  { samples: 4320, size: 16, hop: 4 },
  { samples: 77, size: 12, hop: 3 },
  { samples: 1_050_000, size: 2, hop: 1 },
];

describe.each(adapterNames)("stft on %s", (adapter) => {
  test("matches the reference at awkward shapes", async () => {
    const device = await testDevice(adapter);
    for (const { samples, size, hop } of SHAPES) {
      const frames = Math.floor(samples / hop) + 1;
      const columns = size + 2;
      const x = uniform(1, samples);
      const { out } = await runKernel(
        device,
        stft,
        {},
        { samples, frames, columns, size, hop },
        {
          x: { shape: [samples], data: x },
          basis: { shape: [columns, size], data: fourierTables(size, hop).analysis },
          out: { shape: [frames, columns] },
        },
      );
      expectClose(out as Float32Array, reference(x, size, hop), { abs: 2e-6 }, [frames, columns], ["f", "j"]);
    }
  });
});
