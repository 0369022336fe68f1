import { describe, expect, test } from "vitest";
import {
  difference,
  judgeExact,
  judgeFloats,
  judgeGreedy,
  judgeTokens,
  pearson,
  ruleFor,
  shapeFinding,
} from "../../src/parity/judge.js";

describe("limits", () => {
  test.each([
    ["lm", "logprobs", "f32", 1e-4],
    ["vocoder", "samples", "f32", 1e-4],
    ["source", "source", "f32", 1e-4 + 5e-4 * 2],
    ["whole", "samples", "f32", 1e-3 + 3e-3 * 2],
    ["stream", "samples", "f32", 1e-3 + 3e-3 * 2],
    ["lm", "logprobs", "f16", 1e-2],
    ["flow", "mu", "f16", 1e-2],
    ["flow", "velocity", "f16", 1e-2],
    ["flow", "mel", "f16", 3e-2],
    ["vocoder", "samples", "f16", 3e-2],
    ["vocoder", "f0", "f16", 1e-2],
    ["whole", "samples", "f16", null],
    ["stream", "samples", "f16", null],
  ] as const)("%s %s in %s", (stage, tensor, dtype, limit) => {
    expect(ruleFor(stage, tensor, dtype, 2).rel).toBe(limit);
  });
});

describe("floats", () => {
  test("rel is the norm of the difference over that of the reference", () => {
    expect(difference([3, 4], [3, 5]).rel).toBeCloseTo(1 / Math.hypot(3, 5), 12);
    expect(difference([], [])).toEqual({ rel: 0, maxAbs: 0, bad: undefined });
    expect(difference([1e-9], [0]).rel).toBe(Number.POSITIVE_INFINITY);
  });

  test("a value on the limit passes, one above fails", () => {
    const judge = (out: number, limit: number) =>
      judgeFloats(Float32Array.of(out), Float32Array.of(1), { rel: limit }).verdict;
    expect(judge(1.25, 0.25)).toBe("pass");
    expect(judge(1.25, 0.2499)).toBe("fail");
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("%s fails and names its place", (value) => {
    const finding = judgeFloats(Float32Array.of(0, value), Float32Array.of(0, 1), { rel: 1 });
    expect(finding).toMatchObject({ verdict: "fail", rel: null, reason: `value 1 is ${value}` });
  });

  test("a reference that is no number fails too", () => {
    const finding = judgeFloats(Float32Array.of(1), Float32Array.of(Number.NaN), { rel: 1 });
    expect(finding).toMatchObject({ verdict: "fail", reason: expect.stringContaining("the reference holds") });
  });

  test("in f16 whole speech is judged by the log-mel correlation alone", () => {
    const rule = ruleFor("whole", "samples", "f16", 2);
    const judge = (correlation: number) =>
      judgeFloats(Float32Array.of(-1), Float32Array.of(1), rule, () => correlation).verdict;
    expect(judge(0.99)).toBe("pass");
    expect(judge(0.9899)).toBe("fail");
    expect(judge(Number.NaN)).toBe("fail");
  });

  test("shapes must agree", () => {
    expect(shapeFinding([2, 3], [2, 3])).toBeUndefined();
    expect(shapeFinding([6], [2, 3])?.reason).toBe("shape [6], the reference has [2, 3]");
  });

  test("pearson", () => {
    expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
    expect(pearson([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
  });
});

describe("ids", () => {
  test("exact, with the first difference named", () => {
    expect(judgeExact([1, 2], [1, 2]).verdict).toBe("pass");
    expect(judgeExact([1, 5, 7], [1, 2, 3])).toMatchObject({
      verdict: "fail",
      reason: expect.stringContaining("the first at 1: 5"),
    });
    expect(judgeExact([1], [1, 2]).reason).toBe("1 values, the reference has 2");
  });

  test("a greedy step may differ only at a near tie, and only the first difference counts", () => {
    const judge = (gap: number, dtype: "f32" | "f16") => judgeGreedy([1, 9, 9], [1, 2, 3], [1, gap, 1], dtype);
    expect(judge(0.9e-4, "f32").verdict).toBe("pass");
    expect(judge(1.1e-4, "f32").verdict).toBe("fail");
    expect(judge(1, "f16")).toMatchObject({ verdict: "pass", rel: 2 / 3, limit: null });
    expect(judgeGreedy([1], [1, 2], [0], "f32").verdict).toBe("fail");
  });

  test("speech tokens may differ near the edge of a level alone", () => {
    expect(judgeTokens([1, 2, 3], [1, 2, 3], [1, 1, 1]).verdict).toBe("pass");
    expect(judgeTokens([1, 9, 8], [1, 2, 3], [1, 1e-4, 1e-3])).toMatchObject({ verdict: "pass", max_abs: 7 });
    const far = judgeTokens([1, 9, 8], [1, 2, 3], [1, 1e-4, 2e-3]);
    expect(far).toMatchObject({ verdict: "fail", reason: expect.stringContaining("token 2 is 2.0e-3 from an edge") });
    expect(judgeTokens([1, 9], [1, 2], [1, Number.NaN]).verdict).toBe("fail");
    expect(judgeTokens([1], [1, 2], [0]).verdict).toBe("fail");
  });
});
