import { expect, test } from "vitest";
import { kernelCases } from "../../bench/cases.js";
import { time } from "../../bench/harness.js";
import { ALL_KERNELS } from "../../kernels/all.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { TINY } from "../helpers/tinyRelease.js";

const title = "there is a row for every kernel, chosen or not, on %s; the twins run";
test.each(adapterNames)(title, { timeout: 600_000 }, async (adapter) => {
  const device = await testDevice(adapter);
  const cases = await kernelCases(device, TINY);
  const seen = new Set(cases.map(({ kernel }) => kernel.name));
  expect(ALL_KERNELS.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
  expect(
    cases.some(({ name, params }) => name.includes("attention") && params.chunk === TINY.flow?.estimator.chunk),
  ).toBe(true);
  for (const twin of cases.filter(({ name }) => name.includes("not chosen"))) {
    expect((await time(device, twin, 0.01)).ms, twin.name).toBeGreaterThan(0);
  }
});
