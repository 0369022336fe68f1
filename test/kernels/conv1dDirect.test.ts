import { describe, test } from "vitest";
import { conv1dDirect } from "../../kernels/conv1dDirect.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { asStored, runKernel, runnable } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { conv1dDirect as reference } from "../reference/conv1dDirect.js";

const PLAIN = { batch: 1, stride: 1, dilation: 1 };
/** One element; a batch of two whose rows share a thread; dilated, more taps than frames; strided; look-ahead. */
const SHAPES = [
  { ...PLAIN, framesIn: 1, framesOut: 1, channelsIn: 1, channelsOut: 1, taps: 1, padLeft: 0 },
  { ...PLAIN, batch: 2, framesIn: 33, framesOut: 33, channelsIn: 8, channelsOut: 67, taps: 3, padLeft: 2 },
  { ...PLAIN, dilation: 5, framesIn: 13, framesOut: 13, channelsIn: 18, channelsOut: 9, taps: 11, padLeft: 25 },
  { ...PLAIN, stride: 15, framesIn: 601, framesOut: 40, channelsIn: 20, channelsOut: 4, taps: 30, padLeft: 7 },
  { ...PLAIN, framesIn: 9, framesOut: 18, channelsIn: 12, channelsOut: 5, taps: 5, padLeft: 0 },
];

describe.each(adapterNames)("conv1dDirect on %s", (adapter) => {
  test.for(conv1dDirect.variants.map((constants) => [variantName(conv1dDirect, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants], { skip }) => {
      const device = await testDevice(adapter);
      skip(!runnable(device, conv1dDirect, constants), "no shader-f16 here; the f16x2 variant covers it");
      for (const shape of SHAPES) {
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
          conv1dDirect,
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
