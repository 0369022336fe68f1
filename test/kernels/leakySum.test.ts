import { describe, test } from "vitest";
import { leakySum } from "../../kernels/leakySum.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { leakySum as reference } from "../reference/leakySum.js";

describe.each(adapterNames)("leakySum on %s", (adapter) => {
  test.for(leakySum.variants.map((constants) => [variantName(leakySum, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      // One item, a prime, one past a workgroup; and, once, more workgroups than one dimension holds.
      for (const items of [1, 13, 65, ...(constants.vec === 1 ? [64 * 65_535 + 1] : [])]) {
        const count = items * constants.vec;
        const a = uniform(1, count);
        const b = uniform(2, count);
        const tensors = { a: { shape: [count], data: a }, b: { shape: [count], data: b }, out: { shape: [count] } };
        const { out } = await runKernel(device, leakySum, constants, { count, scale: 1 / 3, slope: 0.01 }, tensors);
        expectClose(out as Float32Array, reference(a, b, 1 / 3, 0.01), { abs: 1e-7, rel: 2e-7 });
      }
    },
  );
});
