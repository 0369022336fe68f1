import { describe, test } from "vitest";
import { ropeCache } from "../../kernels/ropeCache.js";
import { variantName } from "../../src/gpu/kernel.js";
import { angles, packCache, readCache } from "../helpers/cache.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { ropeCache as reference } from "../reference/ropeCache.js";

/** One row at the start, rows across three segments, as many key heads as query heads, odd head counts. */
const CASES = [
  { rows: 1, position: 0, heads: 1, kvHeads: 1, lengths: [1, 0, 0, 0] },
  { rows: 9, position: 2, heads: 6, kvHeads: 3, lengths: [3, 3, 6, 0] },
  { rows: 5, position: 11, heads: 3, kvHeads: 3, lengths: [3, 3, 6, 12] },
] as const;

describe.each(adapterNames)("ropeCache on %s", (adapter) => {
  test.for(ropeCache.variants.map((constants) => [variantName(ropeCache, constants), constants] as const))(
    "%s rotates queries and stores keys and values at their positions",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      const { headDim } = constants;
      for (const { rows, position, heads, kvHeads, lengths } of CASES) {
        const qkv = uniform(1, rows * (heads + 2 * kvHeads) * headDim);
        const rope = angles(position + rows, headDim);
        const shape = { lengths, kvHeads, headDim };
        const out = await runKernel(
          device,
          ropeCache,
          constants,
          { rows, heads, kvHeads, length0: lengths[0], length1: lengths[1], length2: lengths[2], length3: lengths[3] },
          {
            qkv: { shape: [rows, (heads + 2 * kvHeads) * headDim], data: qkv },
            state: { shape: [4], data: Int32Array.of(position, 0, 0, 0) },
            rope: { shape: [position + rows, headDim], data: rope },
            q: { shape: [rows, heads * headDim] },
            ...packCache(shape, [], []),
          },
        );
        const want = reference(qkv, rope, position, { heads, kvHeads, headDim });
        expectClose(out.q as Float32Array, want.q.flat(2), { abs: 1e-6 }, [rows, heads, headDim], ["t", "h", "d"]);
        for (const [kind, rowsOf] of [
          ["key", want.keys],
          ["value", want.values],
        ] as const) {
          const got = rowsOf.map((heads, t) => heads.map((_, g) => readCache(shape, out, kind, position + t, g)));
          expectClose(got.flat(2), rowsOf.flat(2), { abs: 1e-6 }, [rows, kvHeads, headDim], ["t", "g", "d"]);
        }
        // The positions before the new rows were zeros and stay so.
        const before = Array.from({ length: position }, (_, p) => readCache(shape, out, "key", p, 0));
        expectClose(before.flat(), new Float32Array(position * headDim), {});
      }
    },
  );
});
