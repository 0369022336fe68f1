import { describe, test } from "vitest";
import { rotary } from "../../kernels/rotary.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { rotary as reference } from "../reference/rotary.js";

describe.each(adapterNames)("rotary on %s", (adapter) => {
  test("matches the reference at awkward shapes", async () => {
    const device = await testDevice(adapter);
    for (const shape of [
      { frames: 1, heads: 1, half: 1 },
      { frames: 13, heads: 3, half: 5 },
      { frames: 65, heads: 2, half: 32 },
    ]) {
      const { frames, heads, half } = shape;
      const [qkv, table] = [uniform(1, frames * 6 * heads * half), uniform(2, frames * half * 2)];
      const { qkv: out } = await runKernel(device, rotary, {}, shape, {
        qkv: { shape: [frames, 6 * heads * half], data: qkv },
        table: { shape: [frames, half, 2], data: table },
      });
      const dims = [frames, 3, heads, 2 * half];
      expectClose(out as Float32Array, reference(qkv, table, shape), { abs: 1e-6 }, dims, ["t", "part", "h", "d"]);
    }
  });
});
