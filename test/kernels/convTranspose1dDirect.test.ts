import { describe, test } from "vitest";
import { convTranspose1dDirect } from "../../kernels/convTranspose1dDirect.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { asStored, runKernel, runnable } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { convTranspose1dDirect as reference } from "../reference/convTranspose1dDirect.js";

/** The model's three kinds with odd widths, one element, a stride beyond the kernel (holes), one past a tile, a reflection. */
const SHAPES = [
  { framesIn: 1, channelsIn: 1, channelsOut: 1, taps: 1, stride: 1, pad: 0, shift: 0, slope: 1 },
  { framesIn: 9, channelsIn: 20, channelsOut: 10, taps: 16, stride: 8, pad: 4, shift: 0, slope: 0.1 },
  { framesIn: 33, channelsIn: 6, channelsOut: 3, taps: 11, stride: 5, pad: 3, shift: 0, slope: 0.1 },
  { framesIn: 65, channelsIn: 12, channelsOut: 33, taps: 7, stride: 3, pad: 2, shift: 1, slope: 0.1 },
  { framesIn: 5, channelsIn: 4, channelsOut: 5, taps: 2, stride: 3, pad: 0, shift: 2, slope: 0.5 },
];

describe.each(adapterNames)("convTranspose1dDirect on %s", (adapter) => {
  test.for(
    convTranspose1dDirect.variants.map(
      (constants) => [variantName(convTranspose1dDirect, constants), constants] as const,
    ),
  )("%s matches the reference at awkward shapes", async ([, constants], { skip }) => {
    const device = await testDevice(adapter);
    skip(!runnable(device, convTranspose1dDirect, constants), "no shader-f16 here; the f16x2 variant covers it");
    for (const { shift, slope, ...shape } of SHAPES) {
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
        convTranspose1dDirect,
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
  });
});
