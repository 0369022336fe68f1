import { describe, test } from "vitest";
import { snake } from "../../kernels/snake.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { snake as reference } from "../reference/snake.js";

/** One element, primes, one past a workgroup, more workgroups than one dimension holds; arguments of the sine up to 10⁴. */
const SHAPES = [
  { frames: 1, channels: 1, range: 1 },
  { frames: 13, channels: 7, range: 30 },
  { frames: 65, channels: 4, range: 10_000 },
  { frames: 1, channels: 64 * 65_535 + 5, range: 3 },
];

describe.each(adapterNames)("snake on %s", (adapter) => {
  test.for(snake.variants.map((constants) => [variantName(snake, constants), constants] as const))(
    "%s matches the reference at awkward shapes",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      for (const { frames, channels, range } of SHAPES) {
        if (constants.vec === 4 && channels % 4 !== 0) continue;
        const x = uniform(1, frames * channels, -range, range);
        const alpha = uniform(2, channels, 0.3, 1.5);
        const { out } = await runKernel(
          device,
          snake,
          constants,
          { frames, channels },
          {
            x: { shape: [frames, channels], data: x },
            alpha: { shape: [channels], data: alpha },
            out: { shape: [frames, channels] },
          },
        );
        expectClose(out as Float32Array, reference(x, alpha), { abs: 3e-6, rel: 3e-7 }, [frames, channels], ["t", "c"]);
      }
    },
  );
});
