import { expect, test } from "vitest";
import { cosyvoice } from "./run.js";

test("doctor --json names the adapter it chose and passes its self-test", async () => {
  const { status, stdout } = await cosyvoice(["doctor", "--json"]);
  const report = JSON.parse(stdout);
  expect(report.chosen).toMatchObject({ name: "swiftshader", software: true });
  expect(report.chosen.driver).toContain("SwiftShader");
  expect(report.chosen.limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
  expect(report.chosen.features).toBeInstanceOf(Array);
  expect(report.selfTest.length).toBeGreaterThanOrEqual(3);
  for (const result of report.selfTest) expect(result).toMatchObject({ passed: true });
  expect(report.adapters.length + report.refused.length).toBeGreaterThanOrEqual(3);
  for (const { reason } of report.refused) expect(reason).not.toBe("");
  expect(status).toBe(0);
});

test("doctor says the same to people", async () => {
  const { status, stdout } = await cosyvoice(["doctor"]);
  expect(stdout).toContain("chosen: swiftshader");
  expect(stdout).toMatch(/ok +linear, 67 rows, f32 weights/);
  expect(stdout).not.toContain("FAIL");
  expect(status).toBe(0);
});
