/** What the tests of both attention kernels share: the paper's four masks over tiles that are cut at the end. */

import { describe, test } from "vitest";
import type { chunkAttention } from "../../kernels/chunkAttention.js";
import { variantName } from "../../src/gpu/kernel.js";
import { chunkAttention as reference } from "../reference/chunkAttention.js";
import { expectClose } from "./compare.js";
import { adapterNames, testDevice } from "./device.js";
import { runKernel } from "./kernel.js";
import { uniform } from "./random.js";

/** One frame; full, causal, chunk and two chunks. */
const SHAPES = [
  { batch: 1, frames: 1, heads: 1, chunk: 1 },
  { batch: 2, frames: 37, heads: 3, chunk: 37 },
  { batch: 1, frames: 33, heads: 1, chunk: 1 },
  { batch: 1, frames: 67, heads: 1, chunk: 25 },
  { batch: 2, frames: 64, heads: 1, chunk: 50 },
];

export function testAttention(kernel: typeof chunkAttention): void {
  describe.each(adapterNames)(`${kernel.name} on %s`, (adapter) => {
    test.for(kernel.variants.map((constants) => [variantName(kernel, constants), constants] as const))(
      "%s matches the reference under all four masks",
      async ([, constants]) => {
        const device = await testDevice(adapter);
        const { headDim, relative } = constants;
        for (const shape of SHAPES) {
          const { batch, frames, heads } = shape;
          const width = heads * headDim;
          const offsets = 2 * frames - 1;
          // Queries large enough for some keys to win, as in a trained model.
          const qkv = uniform(1, batch * frames * 3 * width, -2, 2);
          const positions = uniform(2, offsets * width);
          const u = uniform(3, width);
          const v = uniform(4, width);
          const scale = 1 / Math.sqrt(headDim);
          const { out } = await runKernel(
            device,
            kernel,
            constants,
            { ...shape, offsets, scale },
            {
              qkv: { shape: [batch, frames, 3 * width], data: qkv },
              out: { shape: [batch, frames, width] },
              positions: { shape: [offsets, width], data: positions },
              u: { shape: [width], data: u },
              v: { shape: [width], data: v },
            },
          );
          const want = reference(qkv, { ...shape, headDim, scale }, relative ? { positions, u, v } : undefined);
          const names = ["b", "t", "h", "d"];
          expectClose(out as Float32Array, want, { abs: 4e-6 }, [batch, frames, heads, headDim], names);
        }
      },
    );
  });
}
