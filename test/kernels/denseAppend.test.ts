import { describe, test } from "vitest";
import { denseAppend } from "../../kernels/denseAppend.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { denseAppend as reference } from "../reference/denseAppend.js";

describe.each(adapterNames)("denseAppend on %s", (adapter) => {
  test("matches the reference at awkward shapes, also where the sigmoid is all but 0", async () => {
    const device = await testDevice(adapter);
    for (const sizes of [
      { frames: 1, width: 1, growth: 1, segment: 100 },
      { frames: 13, width: 20, growth: 7, segment: 5 },
      { frames: 101, width: 3, growth: 32, segment: 100 },
    ]) {
      const { frames, width, growth, segment } = sizes;
      const segments = Math.ceil(frames / segment);
      const data = {
        x: uniform(1, frames * width),
        local: uniform(2, frames * growth),
        mask: uniform(3, segments * growth, -100, 10),
      };
      const shape = [frames, width + growth];
      const { out } = await runKernel(
        device,
        denseAppend,
        {},
        { ...sizes, segments },
        {
          x: { shape: [frames, width], data: data.x },
          local: { shape: [frames, growth], data: data.local },
          mask: { shape: [segments, growth], data: data.mask },
          out: { shape },
        },
      );
      expectClose(out as Float32Array, reference(data, sizes), { abs: 1e-7, rel: 1e-5 }, shape, ["t", "c"]);
    }
  });
});
