import { describe, test } from "vitest";
import { eulerStep } from "../../kernels/eulerStep.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { eulerStep as reference } from "../reference/eulerStep.js";

describe.each(adapterNames)("eulerStep on %s", (adapter) => {
  test("matches the reference at awkward sizes, beyond one dimension of workgroups too", async () => {
    const device = await testDevice(adapter);
    const dt = uniform(1, 3, 0, 0.2);
    const guidance = 0.7;
    for (const count of [1, 65, 127, 65_535 * 64 + 1]) {
      for (const step of count > 1000 ? [1] : [0, 2]) {
        const x = uniform(2, count);
        const velocity = uniform(3, 2 * count);
        const { x: out } = await runKernel(
          device,
          eulerStep,
          {},
          { count, steps: dt.length, guidance },
          {
            velocity: { shape: [2, count], data: velocity },
            dt: { shape: [dt.length], data: dt },
            state: { shape: [1], data: Uint32Array.of(step) },
            x: { shape: [count], data: x },
          },
        );
        expectClose(out as Float32Array, reference(x, velocity, dt[step] as number, guidance), { abs: 3e-7 });
      }
    }
  });
});
