import { describe, test } from "vitest";
import { scaleShift } from "../../kernels/scaleShift.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { scaleShift as reference } from "../reference/scaleShift.js";

describe.each(adapterNames)("scaleShift on %s", (adapter) => {
  test.for(scaleShift.variants.map((constants) => [variantName(scaleShift, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const [rows, width] of [
        [1, 4],
        [13, 20],
        [67, 7],
      ] as const) {
        if (width % constants.vec !== 0) continue;
        const [x, scale, shift] = [uniform(1, rows * width), uniform(2, width, -2, 2), uniform(3, width)];
        const { out } = await runKernel(
          device,
          scaleShift,
          constants,
          { rows, width },
          {
            x: { shape: [rows, width], data: x },
            scale: { shape: [width], data: scale },
            shift: { shape: [width], data: shift },
            out: { shape: [rows, width] },
          },
        );
        expectClose(
          out as Float32Array,
          reference(x, scale, shift, constants.relu),
          { abs: 4e-7 },
          [rows, width],
          ["r", "c"],
        );
      }
    },
  );
});
