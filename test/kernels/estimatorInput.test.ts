import { describe, test } from "vitest";
import { estimatorInput } from "../../kernels/estimatorInput.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { estimatorInput as reference } from "../reference/estimatorInput.js";

describe.each(adapterNames)("estimatorInput on %s", (adapter) => {
  test("matches the reference at awkward shapes, beyond one dimension of workgroups too", async () => {
    const device = await testDevice(adapter);
    for (const { frames, bins } of [
      { frames: 1, bins: 1 },
      { frames: 13, bins: 7 },
      { frames: 5, bins: 80 },
      { frames: 6_600, bins: 80 },
    ]) {
      const x = uniform(1, frames * bins);
      const mu = uniform(2, frames * bins);
      const speaker = uniform(3, bins);
      const condition = uniform(4, frames * bins);
      const { out } = await runKernel(
        device,
        estimatorInput,
        {},
        { frames, bins },
        {
          x: { shape: [frames, bins], data: x },
          mu: { shape: [frames, bins], data: mu },
          speaker: { shape: [bins], data: speaker },
          condition: { shape: [frames, bins], data: condition },
          out: { shape: [2, frames, 4 * bins] },
        },
      );
      const want = reference({ x, mu, speaker, condition }, frames, bins);
      expectClose(out as Float32Array, want, {}, [2, frames, 4 * bins], ["row", "t", "c"]);
    }
  });
});
