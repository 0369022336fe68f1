import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { cosyvoice } from "./run.js";

describe("bench", () => {
  test("kernel rows carry shape, time and the share of a measured ceiling", async () => {
    const { status, stdout } = await cosyvoice([
      "bench",
      "--part",
      "kernels",
      "--only",
      "rmsNorm",
      "--seconds",
      "0.05",
      "--json",
    ]);
    expect(status).toBe(0);
    const { kernels, stages } = JSON.parse(stdout);
    expect(stages).toBeUndefined();
    for (const ceiling of ["gbPerSecond", "cachedGbPerSecond", "gflopPerSecond", "gloadPerSecond"]) {
      expect(kernels.ceilings[ceiling]).toBeGreaterThan(0);
    }
    expect(kernels.rows.length).toBeGreaterThan(0);
    for (const row of kernels.rows) {
      expect(row.name).toMatch(/^rmsNorm /);
      expect(row.shape).toMatch(/^\d+(×\d+)* ← 896$/);
      expect(row.ms).toBeGreaterThan(0);
      expect(row.boundBy).toBe("bytes");
      expect(row.gbPerSecond).toBeCloseTo(row.workingSet / row.ms / 1e6, 6);
    }
  }, 600_000);

  test("stages of the model in the package add up; dispatches and submits per token are told", async () => {
    const { status, stdout } = await cosyvoice(["bench", "--part", "stages", "--text", "Yes."]);
    expect(status).toBe(0);
    for (const stage of ["text", "language model, prompt", "language model, decode", "flow", "vocoder", "all"]) {
      expect(stdout).toMatch(new RegExp(`^${stage} +\\d+\\.\\d ms`, "m"));
    }
    expect(stdout).toMatch(/real-time factor \d+\.\d\d, first audio after/);
    expect(stdout).toMatch(/^\d+ dispatches and 0\.\d+ submits per token/m);
  });

  test("a time that is none is refused", async () => {
    const { status, stderr } = await cosyvoice(["bench", "--seconds", "0"]);
    expect(status).toBe(2);
    expect(stderr).toContain("--seconds");
  });

  test("networks that hear are timed, and who does not run beside them is told", async () => {
    const model = fileURLToPath(new URL("../bundles/c/model", import.meta.url));
    const { status, stdout } = await cosyvoice(["bench", "--part", "ears", "--onnx", model, "--seconds", "0.01"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^speech tokenizer v2 +this engine +\d+ +\d+/m);
    expect(stdout).toMatch(/^speaker encoder CAM\+\+ +this engine +\d+ +\d+/m);
    // Where somebody has put the package, its rows are there instead.
    expect(stdout).toMatch(
      /^onnxruntime-node: Cannot find package|onnxruntime cpu +\d+ +\d+ +\d+\.\d\d +\d+ of 250 ids/m,
    );
  }, 600_000);
});
