import { describe, test } from "vitest";
import { statsPool } from "../../kernels/statsPool.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { statsPool as reference } from "../reference/statsPool.js";

/** One frame; two; both sides of the lanes and of a workgroup's channels; far from zero. */
const SHAPES = [
  { frames: 1, width: 3, centre: 0 },
  { frames: 2, width: 16, centre: 0 },
  { frames: 17, width: 33, centre: 0 },
  { frames: 301, width: 20, centre: 10 },
];

describe.each(adapterNames)("statsPool on %s", (adapter) => {
  test.for(statsPool.variants.map((constants) => [variantName(statsPool, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const { frames, width, centre } of SHAPES) {
        const x = uniform(1, frames * width, centre - 1, centre + 1);
        const { out } = await runKernel(
          device,
          statsPool,
          constants,
          { frames, width },
          {
            x: { shape: [frames, width], data: x },
            out: { shape: [2 * width] },
          },
        );
        expectClose(out as Float32Array, reference(x, frames), { abs: 2e-6, rel: 2e-6 }, [2, width], ["stat", "c"]);
      }
    },
  );
});
