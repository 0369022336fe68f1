/** The language model against PyTorch: every case of the stages lm, lm_greedy and nucleus of the reference bundles. */
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { LanguageModel } from "../../src/lm/lm.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { BUNDLES, type Case, openBundle } from "./reference.js";

const ids = (entry: Case, name: string) => Int32Array.from(entry[name]?.data ?? []);

function relative(got: Float32Array, want: Float32Array): number {
  expect(got.length).toBe(want.length);
  let difference = 0;
  let size = 0;
  for (let i = 0; i < want.length; i++) {
    difference += ((got[i] as number) - (want[i] as number)) ** 2;
    size += (want[i] as number) ** 2;
  }
  return Math.sqrt(difference / size);
}

const RUNS = adapterNames.flatMap((adapter) =>
  BUNDLES.flatMap((path) => (["f32", "f16"] as const).map((dtype) => ({ adapter, path, dtype, name: basename(path) }))),
);

describe.each(RUNS)("language model on $adapter, bundle $name, $dtype", ({ adapter, path, dtype }) => {
  test("reproduces log-probabilities, greedy ids and candidate sets", async () => {
    const device = await testDevice(adapter);
    const bundle = await openBundle(path, dtype);
    const before = device.memory.buffers;
    const lm = await LanguageModel.load(device, bundle.model);
    for (const [name, entry] of await bundle.stage("lm")) {
      const got = await lm.logprobs(ids(entry, "text_ids"), ids(entry, "prompt_speech_ids"), ids(entry, "forced_ids"));
      const rel = relative(got, entry.logprobs?.data as Float32Array);
      if (process.env.COSYVOICE_TEST_PRINT) console.log(adapter, basename(path), dtype, name, rel);
      expect(rel, `lm/${name}`).toBeLessThan(dtype === "f32" ? 1e-5 : 1e-2);
    }
    for (const [name, entry] of await bundle.stage("lm_greedy")) {
      const want = ids(entry, "ids");
      const got = await lm.greedy(ids(entry, "text_ids"), ids(entry, "prompt_speech_ids"), want.length);
      const apart = got.ids.findIndex((id, i) => id !== want[i]);
      if (process.env.COSYVOICE_TEST_PRINT)
        console.log(adapter, basename(path), dtype, name, "apart at", apart, Math.min(...got.margins));
      if (dtype === "f32" && apart >= 0)
        expect(got.margins[apart], `lm_greedy/${name} step ${apart}`).toBeLessThan(1e-4);
    }
    for (const [name, entry] of await bundle.stage("nucleus")) {
      const got = await lm.nucleus(entry.logprobs?.data as Float32Array);
      expect([...got.ids], `nucleus/${name}`).toEqual([...ids(entry, "ids")]);
      expect(relative(got.probs, entry.probs?.data as Float32Array)).toBeLessThan(1e-5);
    }
    lm.destroy();
    expect(device.memory.buffers).toBe(before);
    await bundle.close();
  });
});
