import { describe, test } from "vitest";
import { matvecDirect } from "../../kernels/matvecDirect.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { asStored, runKernel, runnable } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { matvecDirect as reference } from "../reference/matvecDirect.js";

/** One element, primes, one past the columns of a thread and of a workgroup. */
const SHAPES = [
  { inner: 1, cols: 1 },
  { inner: 128, cols: 65 },
  { inner: 260, cols: 127 },
  { inner: 131, cols: 4 },
];

describe.each(adapterNames)("matvecDirect on %s", (adapter) => {
  test.for(matvecDirect.variants.map((constants) => [variantName(matvecDirect, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants], { skip }) => {
      const device = await testDevice(adapter);
      skip(!runnable(device, matvecDirect, constants), "no shader-f16 here; the f16x2 variant covers it");
      for (const { inner, cols } of SHAPES) {
        if (constants.vec === 4 && inner % 4 !== 0) continue;
        const stride4 = Math.ceil(inner / 4);
        const rows = constants.epilogue === "swiglu" ? 2 * cols : cols;
        const x = uniform(1, inner);
        const weight = uniform(2, rows * stride4 * 4);
        for (let c = 0; c < rows; c++) weight.fill(0, c * stride4 * 4 + inner, (c + 1) * stride4 * 4);
        const normWeight = uniform(3, inner);
        const bias = uniform(4, rows);
        const residual = uniform(5, cols);
        const eps = 1e-6;
        const { out } = await runKernel(
          device,
          matvecDirect,
          constants,
          { inner, cols, stride4, eps },
          {
            x: { shape: [inner], data: x },
            weight: { shape: [rows, stride4, 4], data: weight },
            out: { shape: [cols] },
            normWeight: { shape: [inner], data: normWeight },
            bias: { shape: [rows], data: bias },
            residual: { shape: [cols], data: residual },
          },
        );
        const want = reference(
          x,
          asStored(constants.elem, weight),
          { inner, cols, stride: stride4 * 4, eps },
          {
            epilogue: constants.epilogue,
            ...(constants.norm ? { normWeight } : {}),
            ...(constants.bias ? { bias } : {}),
            ...(constants.epilogue === "residual" ? { residual } : {}),
          },
        );
        expectClose(out as Float32Array, want, { abs: 2e-6 * Math.sqrt(inner), rel: 1e-5 }, [cols], ["c"]);
      }
    },
  );
});
