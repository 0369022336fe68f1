/** What the tests of `convTranspose1d` and `convTranspose1dDirect` share: every variant against the one reference, at the shapes given. */
import { describe, test } from "vitest";
import type { TransposeConstants } from "../../kernels/convTranspose1dFragments.js";
import { type AnyKernel, variantName } from "../../src/gpu/kernel.js";
import { convTranspose1d as reference } from "../reference/convTranspose1d.js";
import { expectClose } from "./compare.js";
import { adapterNames, testDevice } from "./device.js";
import { asStored, runKernel, runnable } from "./kernel.js";
import { uniform } from "./random.js";

interface Shape {
  readonly framesIn: number;
  readonly channelsIn: number;
  readonly channelsOut: number;
  readonly taps: number;
  readonly stride: number;
  readonly pad: number;
  readonly shift: number;
  readonly slope: number;
}

export function testConvTranspose1d(kernel: AnyKernel, shapes: readonly Shape[]): void {
  const variants: readonly TransposeConstants[] = kernel.variants;
  describe.each(adapterNames)(`${kernel.name} on %s`, (adapter) => {
    test.for(variants.map((constants) => [variantName(kernel, constants), constants] as const))(
      "%s matches the reference at awkward shapes",
      async ([, constants], { skip }) => {
        const device = await testDevice(adapter);
        skip(!runnable(device, kernel, constants), "no shader-f16 here; the f16x2 variant covers it");
        for (const { shift, slope, ...shape } of shapes) {
          const { framesIn, channelsIn, channelsOut, taps, stride, pad } = shape;
          if (constants.vec === 4 && channelsIn % 4 !== 0) continue;
          const stride4 = Math.ceil(channelsIn / 4);
          const pitch = 4 * stride4;
          const frames = (framesIn - 1) * stride - 2 * pad + taps;
          const x = uniform(1, framesIn * channelsIn);
          const weight = uniform(2, channelsOut * taps * pitch).map((v, i) => (i % pitch < channelsIn ? v : 0));
          const bias = uniform(3, channelsOut);
          const residual = uniform(4, (frames + shift) * channelsOut);
          const { out } = await runKernel(
            device,
            kernel,
            constants,
            { ...shape, frames, stride4, shift, slope },
            {
              x: { shape: [framesIn, channelsIn], data: x },
              weight: { shape: [channelsOut, taps, stride4, 4], data: weight },
              bias: { shape: [channelsOut], data: bias },
              out: { shape: [frames + shift, channelsOut] },
              residual: { shape: [frames + shift, channelsOut], data: residual },
            },
          );
          const want = reference(
            x,
            asStored(constants.elem, weight),
            bias,
            { ...shape, pitch },
            {
              slope,
              shift,
              ...(constants.residual ? { residual } : {}),
            },
          );
          // A few dozen products of order 1/3 in f32, in another order.
          expectClose(out as Float32Array, want, { abs: 1e-5, rel: 2e-6 }, [frames + shift, channelsOut], ["t", "o"]);
        }
      },
    );
  });
}
