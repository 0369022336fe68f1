import { describe, expect, it } from "vitest";
import { release } from "../../bench/release.js";
import type { Component } from "../../src/config.js";
import { weightTable } from "../../weights/all.js";
import { problems } from "../../weights/table.js";

const product = (shape: readonly number[]) => shape.reduce((all, size) => all * size, 1);

describe("tables of the 0.5B release", () => {
  // Counts of the published files: llm.pt holds 2,023,215,248 bytes of distinct floats, in 295 tensors with the tied head.
  it.each<[Component, number, number]>([
    ["lm", 294, 2_023_215_248 / 4],
    ["flow", 1121, 112_549_360],
    ["vocoder", 246, 20_806_557],
    ["speechTokenizer", 102, 123_714_568],
  ])("%s: %i tensors, %i parameters", (component, tensors, parameters) => {
    const shapes = [...weightTable(component, release).values()];
    expect([shapes.length, shapes.reduce((sum, shape) => sum + product(shape), 0)]).toEqual([tensors, parameters]);
  });

  it("speaker: 617 tensors, batch norms behind convolutions folded", () => {
    const table = weightTable("speaker", release);
    expect(table.size).toBe(617);
    expect(table.get("xvector.tdnn.linear.weight")).toEqual([128, 320, 5]);
    expect(table.get("xvector.block2.tdnnd24.linear1.weight")).toEqual([128, 992, 1]);
    expect(table.get("xvector.transit2.linear.weight")).toEqual([512, 1024, 1]);
    expect(table.get("xvector.dense.linear.weight")).toEqual([192, 1024, 1]);
  });
});

describe("the check", () => {
  it("reports every missing, misshapen and surplus tensor", () => {
    const table = new Map([
      ["a", [2, 3]],
      ["b", [4]],
      ["c", [1]],
    ]);
    const found = new Map([
      ["b", [4, 1]],
      ["c", [1]],
      ["d\u001b[31m", [1]],
    ]);
    const shapes = { names: () => [...found.keys()], info: (name: string) => ({ shape: found.get(name) ?? [] }) };
    expect(problems(table, shapes)).toEqual([
      "a is missing, expected [2, 3]",
      "b is [4, 1], expected [4]",
      "d?[31m is not a tensor of this component",
    ]);
  });
});
