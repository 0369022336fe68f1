import { describe, test } from "vitest";
import { concat } from "../../kernels/concat.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { concat as reference } from "../reference/concat.js";

describe.each(adapterNames)("concat on %s", (adapter) => {
  test("matches the reference at awkward shapes, beyond one dimension of workgroups too", async () => {
    const device = await testDevice(adapter);
    for (const { rows, widthA, widthB } of [
      { rows: 1, widthA: 1, widthB: 1 },
      { rows: 13, widthA: 7, widthB: 12 },
      { rows: 65_535, widthA: 1, widthB: 64 },
    ]) {
      const a = uniform(1, rows * widthA);
      const b = uniform(2, rows * widthB);
      const { out } = await runKernel(
        device,
        concat,
        {},
        { rows, widthA, widthB },
        {
          a: { shape: [rows, widthA], data: a },
          b: { shape: [rows, widthB], data: b },
          out: { shape: [rows, widthA + widthB] },
        },
      );
      expectClose(out as Float32Array, reference(a, b, rows), {}, [rows, widthA + widthB], ["r", "c"]);
    }
  });
});
