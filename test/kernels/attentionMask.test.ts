import { describe, expect, test } from "vitest";
import { maskParams } from "../../kernels/attentionFragments.js";
import { attentionMask } from "../../kernels/attentionMask.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { attentionMask as reference } from "../reference/attentionMask.js";

/** One frame; the paper's four masks. */
const SHAPES = [
  { frames: 1, chunk: 1 },
  { frames: 37, chunk: undefined },
  { frames: 37, chunk: 1 },
  { frames: 101, chunk: 25 },
  { frames: 101, chunk: 50 },
  { frames: 8, chunk: 0xffff_ffff },
];

describe.each(adapterNames)("attentionMask on %s", (adapter) => {
  test("matches the reference for all four masks", async () => {
    const device = await testDevice(adapter);
    for (const { frames, chunk } of SHAPES) {
      const { mask } = await runKernel(device, attentionMask, {}, maskParams(frames, chunk), {
        mask: { shape: [frames, frames] },
      });
      const got = new Uint32Array((mask as Float32Array).buffer);
      expect(got, `frames ${frames}, chunk ${chunk}`).toEqual(reference(frames, chunk ?? frames));
    }
  });
});
