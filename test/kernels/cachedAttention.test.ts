import { describe, test } from "vitest";
import { cachedAttention } from "../../kernels/cachedAttention.js";
import { variantName } from "../../src/gpu/kernel.js";
import { angles, heads3, packCache, readCache } from "../helpers/cache.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { cachedAttention as reference } from "../reference/cachedAttention.js";
import { ropeCache } from "../reference/ropeCache.js";

/** The first position, rows across segments, a chunk of scores and one more, odd head counts. `rows` is for the variant without `fresh`. */
const CASES = [
  { rows: 1, position: 0, heads: 1, kvHeads: 1, lengths: [2, 0, 0, 0] },
  { rows: 6, position: 4, heads: 6, kvHeads: 2, lengths: [3, 3, 6, 0] },
  { rows: 2, position: 131, heads: 3, kvHeads: 3, lengths: [17, 17, 34, 68] },
  { rows: 1, position: 1200, heads: 2, kvHeads: 1, lengths: [16, 1300, 0, 0] },
] as const;

describe.each(adapterNames)("cachedAttention on %s", (adapter) => {
  test.for(cachedAttention.variants.map((constants) => [variantName(cachedAttention, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      const { fresh, headDim } = constants;
      for (const { rows: many, position, heads, kvHeads, lengths } of CASES) {
        const rows = fresh ? 1 : many;
        const shape = { lengths, kvHeads, headDim };
        const params = {
          rows,
          heads,
          kvHeads,
          columns: Math.ceil(headDim / 4),
          length0: lengths[0],
          length1: lengths[1],
          length2: lengths[2],
          length3: lengths[3],
        };
        const past = fresh ? position : position + rows;
        const keys = heads3(uniform(2, past * kvHeads * headDim, -2, 2), kvHeads, headDim);
        const values = heads3(uniform(3, past * kvHeads * headDim), kvHeads, headDim);
        const width = fresh ? (heads + 2 * kvHeads) * headDim : heads * headDim;
        const x = uniform(1, rows * width, -2, 2);
        const rope = angles(position + rows, headDim);
        const turned = fresh ? ropeCache(x, rope, position, { heads, kvHeads, headDim }) : undefined;
        const out = await runKernel(device, cachedAttention, constants, params, {
          q: { shape: [rows, width], data: x },
          state: { shape: [4], data: Int32Array.of(position, 0, 0, 0) },
          out: { shape: [rows, heads * headDim] },
          rope: { shape: [position + rows, headDim], data: rope },
          ...packCache(shape, keys, values),
        });
        const want = reference(
          turned?.q ?? heads3(x, heads, headDim),
          [...keys, ...(turned?.keys ?? [])],
          [...values, ...(turned?.values ?? [])],
          position,
        );
        expectClose(out.out as Float32Array, want, { abs: 3e-6, rel: 1e-5 }, [rows, heads, headDim], ["t", "h", "d"]);
        for (let g = 0; turned && g < kvHeads; g++) {
          expectClose(readCache(shape, out, "key", position, g), turned.keys[0]?.[g] ?? [], { abs: 1e-6 });
          expectClose(readCache(shape, out, "value", position, g), turned.values[0]?.[g] ?? [], { abs: 1e-6 });
        }
      }
    },
  );
});
