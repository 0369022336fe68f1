/** What the tests of `conv1d` and `conv1dDirect` share: every variant against the one reference, at the shapes given. */
import { describe, test } from "vitest";
import type { ConvConstants } from "../../kernels/conv1dFragments.js";
import { type AnyKernel, variantName } from "../../src/gpu/kernel.js";
import { conv1d as reference } from "../reference/conv1d.js";
import { expectClose } from "./compare.js";
import { adapterNames, testDevice } from "./device.js";
import { asStored, runKernel, runnable } from "./kernel.js";
import { uniform } from "./random.js";

interface Shape {
  readonly batch: number;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly channelsIn: number;
  readonly channelsOut: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padLeft: number;
}

export function testConv1d(kernel: AnyKernel, shapes: readonly Shape[]): void {
  const variants: readonly ConvConstants[] = kernel.variants;
  describe.each(adapterNames)(`${kernel.name} on %s`, (adapter) => {
    test.for(variants.map((constants) => [variantName(kernel, constants), constants] as const))(
      "%s matches the reference at awkward shapes",
      async ([, constants], { skip }) => {
        const device = await testDevice(adapter);
        skip(!runnable(device, kernel, constants), "no shader-f16 here; the f16x2 variant covers it");
        for (const shape of shapes) {
          const { batch, framesIn, framesOut, channelsIn, channelsOut, taps } = shape;
          if (constants.vec === 4 && channelsIn % 4 !== 0) continue;
          const stride4 = Math.ceil(channelsIn / 4);
          const x = uniform(1, batch * framesIn * channelsIn);
          const weight = uniform(2, channelsOut * taps * stride4 * 4);
          for (let row = 0; row < channelsOut * taps; row++) {
            weight.fill(0, row * stride4 * 4 + channelsIn, (row + 1) * stride4 * 4);
          }
          const bias = uniform(3, channelsOut);
          const residual = uniform(4, batch * framesOut * channelsOut);
          const { out } = await runKernel(
            device,
            kernel,
            constants,
            { ...shape, stride4 },
            {
              x: { shape: [batch, framesIn, channelsIn], data: x },
              weight: { shape: [channelsOut, taps, stride4, 4], data: weight },
              out: { shape: [batch, framesOut, channelsOut] },
              bias: { shape: [channelsOut], data: bias },
              residual: { shape: [batch, framesOut, channelsOut], data: residual },
            },
          );
          const want = reference(
            x,
            asStored(constants.elem, weight),
            { ...shape, upsample: constants.upsample },
            {
              activation: constants.activation,
              ...(constants.bias ? { bias } : {}),
              ...(constants.residual ? { residual } : {}),
            },
          );
          expectClose(
            out as Float32Array,
            want,
            { abs: 1e-6 * Math.sqrt(channelsIn * taps) + 2e-6, rel: 2e-6 },
            [batch, framesOut, channelsOut],
            ["b", "t", "o"],
          );
        }
      },
    );
  });
}
