import { describe, test } from "vitest";
import { segmentContext } from "../../kernels/segmentContext.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { segmentContext as reference } from "../reference/segmentContext.js";

/** One frame; less than a segment; whole segments; a last segment of one frame. */
const SHAPES = [
  { frames: 1, width: 1, segment: 100 },
  { frames: 37, width: 20, segment: 100 },
  { frames: 200, width: 16, segment: 100 },
  { frames: 301, width: 33, segment: 100 },
  { frames: 23, width: 5, segment: 1 },
];

describe.each(adapterNames)("segmentContext on %s", (adapter) => {
  test.for(segmentContext.variants.map((constants) => [variantName(segmentContext, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const { frames, width, segment } of SHAPES) {
        const segments = Math.ceil(frames / segment);
        const x = uniform(1, frames * width, 0, 2);
        const { out } = await runKernel(
          device,
          segmentContext,
          constants,
          { frames, width, segments, segment },
          {
            x: { shape: [frames, width], data: x },
            out: { shape: [segments, width] },
          },
        );
        const want = reference(x, frames, segment);
        expectClose(out as Float32Array, want, { rel: 2e-6 }, [segments, width], ["s", "c"]);
      }
    },
  );
});
