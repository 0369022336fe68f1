import { describe, test } from "vitest";
import { matmul } from "../../kernels/matmul.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { asStored, runKernel, runnable } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { matmul as reference } from "../reference/matmul.js";

/** Both sides of every tile edge, one element, primes, one column. */
const SHAPES = [
  { rows: 1, inner: 1, cols: 1 },
  { rows: 33, inner: 16, cols: 31 },
  { rows: 32, inner: 17, cols: 64 },
  { rows: 65, inner: 127, cols: 3 },
  { rows: 2, inner: 260, cols: 129 },
];

describe.each(adapterNames)("matmul on %s", (adapter) => {
  test.for(matmul.variants.map((constants) => [variantName(matmul, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants], { skip }) => {
      const device = await testDevice(adapter);
      skip(!runnable(device, matmul, constants), "no shader-f16 here; the f16x2 variant covers it");
      for (const { rows, inner, cols } of SHAPES) {
        if (constants.vec === 4 && inner % 4 !== 0) continue;
        const stride4 = Math.ceil(inner / 4);
        const x = uniform(1, rows * inner);
        const weight = uniform(2, cols * stride4 * 4);
        for (let c = 0; c < cols; c++) weight.fill(0, c * stride4 * 4 + inner, (c + 1) * stride4 * 4);
        const bias = uniform(3, cols);
        const residual = uniform(4, rows * cols);
        const { out } = await runKernel(
          device,
          matmul,
          constants,
          { rows, inner, cols, stride4 },
          {
            x: { shape: [rows, inner], data: x },
            weight: { shape: [cols, stride4, 4], data: weight },
            out: { shape: [rows, cols] },
            bias: { shape: [cols], data: bias },
            residual: { shape: [rows, cols], data: residual },
          },
        );
        const want = reference(
          x,
          asStored(constants.elem, weight),
          { rows, inner, cols, stride: stride4 * 4 },
          {
            activation: constants.activation,
            ...(constants.bias ? { bias } : {}),
            ...(constants.residual ? { residual } : {}),
          },
        );
        // Sums of `inner` products of order 1/3, in f32 and in another order.
        expectClose(
          out as Float32Array,
          want,
          { abs: 1e-6 * Math.sqrt(inner) + 2e-6, rel: 2e-6 },
          [rows, cols],
          ["r", "c"],
        );
      }
    },
  );
});
