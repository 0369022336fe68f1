import { describe, expect, test } from "vitest";
import { nucleus } from "../../kernels/nucleus.js";
import { variantName } from "../../src/gpu/kernel.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { nucleus as reference } from "../reference/nucleus.js";

const INFINITY = Number.POSITIVE_INFINITY;

/** Logits [vocab]; stop ids are the last three. */
const CASES: Record<string, { logits: Float32Array; minLen?: number; maskedStops?: number; topP?: number }> = {
  "one id": { logits: Float32Array.of(-2) },
  "three ids, all of them stops": { logits: Float32Array.of(0, 1, 2), minLen: 5, maskedStops: 2 },
  flat: { logits: uniform(1, 1001, -0.1, 0.1) },
  sharp: { logits: uniform(2, 263, -20, 20) },
  "equal values, lower id first": { logits: Float32Array.from({ length: 97 }, (_, i) => Math.floor((i * 7) % 5)) },
  "minus infinity almost everywhere": {
    logits: Float32Array.from({ length: 70 }, (_, i) => (i % 33 === 2 ? 1 : -INFINITY)),
  },
  "stop ids masked": { logits: uniform(3, 65, 0, 1).map((v, i) => (i > 61 ? v + 9 : v)), minLen: 4, maskedStops: 3 },
  "only the first stop id masked": {
    logits: uniform(4, 65, 0, 1).map((v, i) => (i > 61 ? v + 9 : v)),
    minLen: 4,
    maskedStops: 1,
  },
  "stop ids no longer masked": {
    logits: uniform(5, 65, 0, 1).map((v, i) => (i > 61 ? v + 9 : v)),
    minLen: 3,
    maskedStops: 3,
  },
  "everything to the last": { logits: uniform(6, 23), topP: 2 },
  "a NaN": { logits: Float32Array.of(0, Number.NaN, 1, 2) },
  "plus infinity": { logits: Float32Array.of(0, INFINITY, 1, 2) },
};

describe.each(adapterNames)("nucleus on %s", (adapter) => {
  test.for(nucleus.variants.map((constants) => [variantName(nucleus, constants), constants] as const))(
    "%s finds the reference's candidates",
    async ([, constants]) => {
      const device = await testDevice(adapter);
      const { topK } = constants;
      for (const [name, { logits, minLen = 0, maskedStops = 0, topP = 0.8 }] of Object.entries(CASES)) {
        const vocab = logits.length;
        const firstStop = Math.max(0, vocab - 3);
        const step = 3;
        const out = await runKernel(
          device,
          nucleus,
          constants,
          { vocab, firstStop, maskedStops, minLen, topP },
          {
            logits: { shape: [vocab], data: logits },
            state: { shape: [4], data: Int32Array.of(40, 7, step, 0) },
            ids: { shape: [topK + 1] },
            probs: { shape: [topK] },
          },
        );
        const want = reference(logits, { firstStop, maskedStops, minLen, step }, { topP, topK });
        const ids = new Int32Array((out.ids as Float32Array).buffer);
        const count = ids[topK] as number;
        expect([...ids.subarray(0, count)], name).toEqual(want.ids);
        expectClose((out.probs as Float32Array).subarray(0, count), want.probs, { rel: 3e-6 });
      }
    },
  );
});
