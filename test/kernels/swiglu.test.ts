import { describe, test } from "vitest";
import { swiglu } from "../../kernels/swiglu.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { swiglu as reference } from "../reference/swiglu.js";

/** One element, primes, one past a workgroup, more workgroups than one dimension holds. */
const SHAPES = [
  { rows: 1, ffn: 1 },
  { rows: 7, ffn: 13 },
  { rows: 3, ffn: 260 },
  { rows: 65_537, ffn: 65 },
];

describe.each(adapterNames)("swiglu on %s", (adapter) => {
  test.for(swiglu.variants.map((constants) => [variantName(swiglu, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const { rows, ffn } of SHAPES) {
        if (constants.vec === 4 && ffn % 4 !== 0) continue;
        const x = uniform(1, rows * 2 * ffn, -100, 100);
        const { out } = await runKernel(
          device,
          swiglu,
          constants,
          { rows, ffn },
          { x: { shape: [rows, 2 * ffn], data: x }, out: { shape: [rows, ffn] } },
        );
        expectClose(out as Float32Array, reference(x, { ffn }), { abs: 1e-5, rel: 2e-6 }, [rows, ffn], ["r", "f"]);
      }
    },
  );
});
