/** What holds for every kernel, found by sweeping the list. */
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ALL_KERNELS } from "../../kernels/all.js";
import { DEFAULT_LIMITS } from "../../src/gpu/capabilities.js";
import { render } from "../../src/gpu/device.js";
import { type AnyKernel, type Bindings, type Constants, variantName } from "../../src/gpu/kernel.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runnable } from "../helpers/kernel.js";

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const variants = ALL_KERNELS.flatMap((kernel) =>
  (kernel.variants as Constants[]).map((constants) => [variantName(kernel, constants), kernel, constants] as const),
);

test("names are unique, and so are variants", () => {
  expect(new Set(ALL_KERNELS.map(({ name }) => name)).size).toBe(ALL_KERNELS.length);
  expect(new Set(variants.map(([name]) => name)).size).toBe(variants.length);
});

test("every file of kernels/ that defines a kernel is in the list", async () => {
  const names: string[] = [];
  for (const file of readdirSync(path("kernels")).filter((name) => name.endsWith(".ts") && name !== "all.ts")) {
    const exports = Object.values((await import(path(`kernels/${file}`))) as Record<string, unknown>);
    const isKernel = (value: unknown): value is AnyKernel =>
      typeof value === "object" && value !== null && "wgsl" in value && "bindings" in value;
    names.push(...exports.filter(isKernel).map(({ name }) => name));
  }
  expect(ALL_KERNELS.map(({ name }) => name).sort()).toEqual(names.sort());
});

describe.each(ALL_KERNELS.map((kernel) => [kernel.name, kernel] as const))("%s", (name, kernel) => {
  test("has its file, reference and test, and at least one variant", () => {
    for (const file of [`kernels/${name}.ts`, `test/reference/${name}.ts`, `test/kernels/${name}.test.ts`]) {
      expect(existsSync(path(file)), file).toBe(true);
    }
    expect(kernel.variants.length).toBeGreaterThan(0);
  });
});

test.each(variants)("%s renders to clean WGSL within the default limits", (_, kernel, constants) => {
  const code = render(kernel, constants);
  expect(code).not.toMatch(/undefined|NaN|\[object|Infinity/);
  expect(code).not.toMatch(/^\s*#/m);
  expect(code).toContain(`fn ${kernel.name}(`);
  const bindings = Object.keys(kernel.bindings(constants) as Bindings).length;
  expect(bindings).toBeLessThanOrEqual(DEFAULT_LIMITS.maxStorageBuffersPerShaderStage);
});

/** The compiler and the limits are WebGPU's own, the same on every adapter. The drivers see each variant in its kernel's test. */
const adapter = adapterNames.at(-1) as string;

test.for(variants)(
  "%s compiles without a message, within the default limits",
  async ([, kernel, constants], { skip }) => {
    const device = await testDevice(adapter);
    skip(!runnable(device, kernel, constants), "no shader-f16 here; the f16x2 variant covers it");
    const { messages } = await device.gpu.createShaderModule({ code: render(kernel, constants) }).getCompilationInfo();
    expect(messages.map(({ lineNum, message }) => `${lineNum}: ${message}`)).toEqual([]);
    // Workgroup memory and size are checked when the pipeline is made; devices are opened with the default limits.
    await device.pipeline(kernel, constants);
    device.check();
  },
);
