/** The check of a GPU, as a program calls it. */
import { expect, test } from "vitest";
import { checkGpu } from "../src/checkGpu.js";
import { CancelledError, DeviceError } from "../src/errors.js";
import { adapterNames } from "./helpers/device.js";

test.each(adapterNames)("%s is told of, and computes", async (adapter) => {
  const check = await checkGpu({ adapter });
  expect(check.adapter).toMatchObject({
    name: adapter,
    limits: { maxStorageBuffersPerShaderStage: expect.any(Number) },
  });
  expect(Object.keys(check.choices)).toContain("16-bit weights");
  expect(check.tests.map(({ passed, rel, limit }) => passed && rel <= limit)).toEqual(Array(5).fill(true));
  expect(check.passed).toBe(true);
});

test("it can be cancelled, and says which GPU there is not", async () => {
  await expect(checkGpu({ signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  await expect(checkGpu({ adapter: "voodoo" })).rejects.toThrow(DeviceError);
});
