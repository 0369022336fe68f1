import { describe, test } from "vitest";
import { rmsNorm } from "../../kernels/rmsNorm.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { rmsNorm as reference } from "../reference/rmsNorm.js";

/** One element, primes, one past the lanes, more rows than one dimension of a dispatch. */
const SHAPES = [
  { rows: 1, width: 1 },
  { rows: 5, width: 131 },
  { rows: 3, width: 260 },
  { rows: 65_537, width: 4 },
];

describe.each(adapterNames)("rmsNorm on %s", (adapter) => {
  test.for(rmsNorm.variants.map((constants) => [variantName(rmsNorm, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const { rows, width } of SHAPES) {
        if (constants.vec === 4 ? width % 4 !== 0 : rows > 65_535) continue;
        const x = uniform(1, rows * width, -3, 3);
        const weight = uniform(2, width);
        const eps = 1e-6;
        const { out } = await runKernel(
          device,
          rmsNorm,
          constants,
          { rows, width, eps },
          {
            x: { shape: [rows, width], data: x },
            weight: { shape: [width], data: weight },
            out: { shape: [rows, width] },
          },
        );
        expectClose(out as Float32Array, reference(x, weight, { width, eps }), { abs: 1e-6, rel: 2e-6 }, [rows, width]);
      }
    },
  );
});
