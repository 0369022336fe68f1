import { describe, expect, test } from "vitest";
import { type IstftConstants, istft } from "../../kernels/istft.js";
import { fourierTables } from "../../src/ops/vocoder.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { istft as reference } from "../reference/istft.js";

/** One hop only (every frame is an edge), a prime number of them, one past a workgroup; sizes of the model and others. */
const SHAPES = [
  { steps: 1, size: 16, hop: 4 },
  { steps: 61, size: 16, hop: 4 },
  { steps: 65, size: 6, hop: 3 },
  { steps: 40, size: 18, hop: 3 },
];

describe.each(adapterNames)("istft on %s", (adapter) => {
  test.for(istft.variants.map((constants) => [constants.hop, constants] as const))(
    "hop %d matches the reference, with magnitudes that are cut and samples that are clamped",
    async ([, constants]: readonly [number, IstftConstants]) => {
      const device = await testDevice(adapter);
      for (const { steps, size, hop } of SHAPES) {
        if (hop !== constants.hop) continue;
        const columns = size + 2;
        // Logarithms from tiny to far beyond the cut (exp would overflow), phases that need reduction.
        const x = uniform(1, (steps + 1) * columns, -8, 1).map((v, i) => {
          if (i % columns >= columns / 2) return v * 40;
          return i % 211 === 0 ? 95 : v;
        });
        const { synthesis, window2 } = fourierTables(size, hop);
        const overlap = size / hop;
        const { out } = await runKernel(
          device,
          istft,
          constants,
          { steps, columns, overlap, limit: 0.99 },
          {
            x: { shape: [steps + 1, columns], data: x },
            synthesis: { shape: [overlap, hop, columns], data: synthesis },
            window2: { shape: [overlap, hop], data: window2 },
            out: { shape: [steps, hop] },
          },
        );
        expectClose(out as Float32Array, reference(x, size, hop, 0.99), { abs: 2e-5 }, [steps, hop], ["s", "j"]);
      }
    },
  );

  test("what is no number comes out as such, where it reaches and nowhere else", async () => {
    const device = await testDevice(adapter);
    const [steps, size, hop] = [40, 16, 4];
    const columns = size + 2;
    const x = uniform(2, (steps + 1) * columns, -1, 1);
    x[20 * columns + 3] = Number.NaN;
    const { synthesis, window2 } = fourierTables(size, hop);
    const { out } = await runKernel(
      device,
      istft,
      { hop },
      { steps, columns, overlap: size / hop, limit: 0.99 },
      {
        x: { shape: [steps + 1, columns], data: x },
        synthesis: { shape: [size / hop, hop, columns], data: synthesis },
        window2: { shape: [size / hop, hop], data: window2 },
        out: { shape: [steps, hop] },
      },
    );
    const broken = [...(out as Float32Array)].flatMap((value, i) => (Number.isNaN(value) ? [i] : []));
    // Frame 20 is centred on sample 80.
    expect(broken).toEqual(Array.from({ length: size }, (_, i) => 20 * hop - size / 2 + i));
  });
});
