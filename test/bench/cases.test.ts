import { expect, test } from "vitest";
import { kernelCases } from "../../bench/cases.js";
import { time } from "../../bench/harness.js";
import { benchKernels } from "../../bench/kernels.js";
import { ALL_KERNELS } from "../../kernels/all.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { TINY } from "../helpers/tinyRelease.js";

const title = "there is a row for every kernel, chosen or not, on %s; the twins run";
test.each(adapterNames)(title, { timeout: 600_000 }, async (adapter) => {
  const device = await testDevice(adapter);
  const cases = await kernelCases(device, TINY);
  expect(device.idle).toBe(false);
  const seen = new Set(cases.map(({ kernel }) => kernel.name));
  expect(ALL_KERNELS.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
  expect(
    cases.some(({ name, params }) => name.includes("attention") && params.chunk === TINY.flow?.estimator.chunk),
  ).toBe(true);
  for (const twin of cases.filter(({ name }) => name.includes("not chosen"))) {
    expect((await time(device, twin, 0.01)).ms, twin.name).toBeGreaterThan(0);
  }
});

test("a name that no kernel has is refused, and those that there are are told", { timeout: 600_000 }, async () => {
  const device = await testDevice(adapterNames.at(-1) as string);
  const options = { seconds: 0.01, config: TINY };
  await expect(benchKernels(device, { ...options, only: "nothing" })).rejects.toMatchObject({
    name: "InputError",
    message: expect.stringContaining('--only "nothing" matches no row; the kernels are embed,'),
  });
  const { rows } = await benchKernels(device, { ...options, only: "rmsNorm" });
  expect(new Set(rows.map(({ name }) => name.split(" ")[0]))).toEqual(new Set(["rmsNorm"]));
});
