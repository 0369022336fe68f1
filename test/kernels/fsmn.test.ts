import { describe, test } from "vitest";
import { fsmn } from "../../kernels/fsmn.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { fsmn as reference } from "../reference/fsmn.js";

/** One frame; fewer frames than taps; more; an even number of taps; no padding. */
const SHAPES = [
  { frames: 1, width: 4, taps: 31, padLeft: 15 },
  { frames: 9, width: 20, taps: 31, padLeft: 15 },
  { frames: 67, width: 7, taps: 5, padLeft: 2 },
  { frames: 40, width: 12, taps: 4, padLeft: 1 },
  { frames: 5, width: 8, taps: 3, padLeft: 0 },
];

describe.each(adapterNames)("fsmn on %s", (adapter) => {
  test.for(fsmn.variants.map((constants) => [variantName(fsmn, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const shape of SHAPES) {
        const { frames, width, taps } = shape;
        if (width % constants.vec !== 0) continue;
        const [qkv, weight, residual] = [
          uniform(1, frames * 3 * width),
          uniform(2, taps * width),
          uniform(3, frames * width),
        ];
        const { out } = await runKernel(device, fsmn, constants, shape, {
          qkv: { shape: [frames, 3 * width], data: qkv },
          weight: { shape: [taps, width], data: weight },
          residual: { shape: [frames, width], data: residual },
          out: { shape: [frames, width] },
        });
        const want = reference({ qkv, weight, residual }, shape);
        expectClose(out as Float32Array, want, { abs: 2e-6, rel: 1e-6 }, [frames, width], ["t", "c"]);
      }
    },
  );
});
