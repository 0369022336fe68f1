import { describe, test } from "vitest";
import { chunkAttention } from "../../kernels/chunkAttention.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { chunkAttention as reference } from "../reference/chunkAttention.js";

/** One frame; the paper's four masks: full, causal, chunk and two chunks, over tiles that are cut at the end. */
const SHAPES = [
  { batch: 1, frames: 1, heads: 1, chunk: 1 },
  { batch: 2, frames: 67, heads: 3, chunk: 67 },
  { batch: 1, frames: 65, heads: 1, chunk: 1 },
  { batch: 1, frames: 101, heads: 1, chunk: 25 },
  { batch: 2, frames: 64, heads: 1, chunk: 50 },
];

describe.each(adapterNames)("chunkAttention on %s", (adapter) => {
  test.for(chunkAttention.variants.map((constants) => [variantName(chunkAttention, constants), constants] as const))(
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
          chunkAttention,
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
        expectClose(out as Float32Array, want, { abs: 4e-6 }, [batch, frames, heads, headDim], ["b", "t", "h", "d"]);
      }
    },
  );
});
