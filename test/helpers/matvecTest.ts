/** What the tests of `matvec` and `matvecDirect` share: every variant against the one reference, at the shapes given. */
import { describe, test } from "vitest";
import type { RowProductConstants } from "../../kernels/matvecFragments.js";
import { type AnyKernel, variantName } from "../../src/gpu/kernel.js";
import { matvec as reference } from "../reference/matvec.js";
import { expectClose } from "./compare.js";
import { adapterNames, testDevice } from "./device.js";
import { asStored, runKernel, runnable } from "./kernel.js";
import { uniform } from "./random.js";

interface Shape {
  readonly inner: number;
  readonly cols: number;
}

export function testMatvec(kernel: AnyKernel, shapes: readonly Shape[]): void {
  const variants: readonly RowProductConstants[] = kernel.variants;
  describe.each(adapterNames)(`${kernel.name} on %s`, (adapter) => {
    test.for(variants.map((constants) => [variantName(kernel, constants), constants] as const))(
      "%s matches the reference at awkward shapes",
      async ([, constants], { skip }) => {
        const device = await testDevice(adapter);
        skip(!runnable(device, kernel, constants), "no shader-f16 here; the f16x2 variant covers it");
        for (const { inner, cols } of shapes) {
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
            kernel,
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
}
