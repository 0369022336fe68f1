import { describe, test } from "vitest";
import { layerNorm } from "../../kernels/layerNorm.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { layerNorm as reference } from "../reference/layerNorm.js";

/** One row; both sides of a workgroup's rows and of its lanes; far from zero. */
const SHAPES = [
  { rows: 1, width: 4, eps: 1e-5, scale: 1, centre: 0 },
  { rows: 67, width: 12, eps: 1e-5, scale: 1, centre: 0 },
  { rows: 5, width: 68, eps: 1e-12, scale: Math.sqrt(68), centre: 0 },
  { rows: 3, width: 131, eps: 1e-5, scale: 1, centre: 0 },
  { rows: 4, width: 260, eps: 1e-5, scale: 1, centre: 20 },
];

describe.each(adapterNames)("layerNorm on %s", (adapter) => {
  test.for(layerNorm.variants.map((constants) => [variantName(layerNorm, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const { rows, width, eps, scale, centre } of SHAPES) {
        if (constants.vec === 4 && width % 4 !== 0) continue;
        const x = uniform(1, rows * width, centre - 1, centre + 1);
        const weight = uniform(2, width);
        const bias = uniform(3, width);
        const shiftStride = 2 * width + 3;
        const shiftOffset = width + 1;
        const table = uniform(4, 4 * shiftStride);
        const step = 2;
        const { out } = await runKernel(
          device,
          layerNorm,
          constants,
          { rows, width, eps, scale, shiftStride, shiftOffset },
          {
            x: { shape: [rows, width], data: x },
            weight: { shape: [width], data: weight },
            bias: { shape: [width], data: bias },
            out: { shape: [rows, width] },
            shift: { shape: [4, shiftStride], data: table },
            state: { shape: [1], data: Uint32Array.of(step) },
          },
        );
        const from = step * shiftStride + shiftOffset;
        const want = reference(
          x,
          { rows, width, eps, scale },
          {
            weight,
            bias,
            activation: constants.activation,
            ...(constants.shift ? { shift: table.subarray(from, from + width) } : {}),
          },
        );
        // A mean far from zero loses the digits above the spread.
        const abs = (2e-6 + 3e-7 * centre) * scale;
        expectClose(out as Float32Array, want, { abs, rel: 3e-6 }, [rows, width], ["r", "c"]);
      }
    },
  );
});
