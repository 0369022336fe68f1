/** Everything runs with no more than what WebGPU grants every device. */
import { expect, test } from "vitest";
import { findAdapter, openFolder } from "#platform";
import { openModel } from "../../src/checkpoint/model.js";
import { Flow } from "../../src/flow/flow.js";
import { DEFAULT_LIMITS } from "../../src/gpu/capabilities.js";
import { Device } from "../../src/gpu/device.js";
import { LanguageModel } from "../../src/lm/lm.js";
import { Vocoder } from "../../src/vocoder/vocoder.js";
import { adapterNames } from "../helpers/device.js";
import { TINY } from "../helpers/tinyModel.js";

test.each(adapterNames)(
  "the whole way from ids to samples on %s, with default limits and no optional feature",
  async (name) => {
    const device = await Device.open(await findAdapter(name), { defaultLimits: true });
    const model = await openModel(await openFolder(TINY));
    try {
      expect(device.gpu.features.size - Number(device.gpu.features.has("core-features-and-limits"))).toBe(0);
      for (const [limit, value] of Object.entries(DEFAULT_LIMITS)) {
        expect(device.gpu.limits[limit as keyof GPUSupportedLimits], limit).toBe(value);
      }
      const lm = await LanguageModel.load(device, model);
      const flow = await Flow.load(device, model);
      const vocoder = await Vocoder.load(device, model);
      const { tokens } = await lm.generate({ textIds: [1, 2, 3], seed: 1, maxLen: 6 });
      const { mel } = await flow.run({
        token: tokens,
        promptToken: new Int32Array(),
        promptFeat: new Float32Array(),
        embedding: new Float32Array(flow.config.speakerWidth).fill(1),
        streaming: false,
        finalize: true,
      });
      const { samples } = await vocoder.run({ mel, seed: 1 });
      expect(samples.length).toBe((mel.length / flow.config.melBins) * vocoder.samplesPerFrame);
      expect(samples.every(Number.isFinite)).toBe(true);
    } finally {
      await model.close();
      device.destroy();
    }
  },
);
