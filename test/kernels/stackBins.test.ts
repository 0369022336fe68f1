import { describe, test } from "vitest";
import { stackBins } from "../../kernels/stackBins.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { stackBins as reference } from "../reference/stackBins.js";

/** One of everything; same padding; strides over odd and even counts; a pointwise stride; a transposition. */
const SHAPES = [
  { binsIn: 1, binsOut: 1, frames: 1, channels: 4, taps: 3, stride: 1, padLow: 1 },
  { binsIn: 9, binsOut: 9, frames: 7, channels: 1, taps: 3, stride: 1, padLow: 1 },
  { binsIn: 9, binsOut: 5, frames: 13, channels: 12, taps: 3, stride: 2, padLow: 1 },
  { binsIn: 8, binsOut: 4, frames: 5, channels: 8, taps: 1, stride: 2, padLow: 0 },
  { binsIn: 5, binsOut: 1, frames: 11, channels: 4, taps: 5, stride: 1, padLow: 0 },
];

describe.each(adapterNames)("stackBins on %s", (adapter) => {
  test.for(stackBins.variants.map((constants) => [variantName(stackBins, constants), constants] as const))(
    "%s equals the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const sizes of SHAPES) {
        const { binsIn, binsOut, frames, channels, taps } = sizes;
        if (channels % constants.vec !== 0) continue;
        const x = uniform(1, binsIn * frames * channels);
        const shape = [binsOut, frames, taps * channels];
        const { out } = await runKernel(
          device,
          stackBins,
          constants,
          { ...sizes },
          {
            x: { shape: [binsIn, frames, channels], data: x },
            out: { shape },
          },
        );
        expectClose(out as Float32Array, reference(x, sizes), {}, shape, ["h", "t", "c"]);
      }
    },
  );
});
