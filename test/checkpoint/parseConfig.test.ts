import { describe, expect, it } from "vitest";
import { Lookup } from "../../src/checkpoint/lookup.js";
import { parseConfig } from "../../src/checkpoint/parseConfig.js";
import { FileError } from "../../src/errors.js";
import { TINY } from "../helpers/tinyRelease.js";

/** The tiny model's configuration with the value at "a.b.c" replaced. */
function changed(path: string, value: unknown): Lookup {
  const json = structuredClone(TINY) as unknown as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop() as string;
  const parent = keys.reduce((object, key) => object[key] as Record<string, unknown>, json);
  parent[last] = value;
  return new Lookup("config.json", json);
}

it("gives what it was given", () => {
  expect(parseConfig(new Lookup("config.json", TINY))).toEqual(TINY);
});

it("takes another length of segments", () => {
  expect(parseConfig(changed("segmentLength", 1)).segmentLength).toBe(1);
});

it("takes what a model says it can say, and nothing else there", () => {
  const speaks = { characters: "abc", languages: ["en"], modes: ["sft"] };
  expect(parseConfig(changed("speaks", speaks)).speaks).toEqual(speaks);
  expect(parseConfig(changed("segmentLimit", 40)).segmentLimit).toBe(40);
  for (const [path, value] of [
    ["characters", ""],
    ["characters", 7],
    ["languages", []],
    ["languages", ["x".repeat(65)]],
    ["modes", ["sing"]],
  ] as const)
    expect(() => parseConfig(changed("speaks", { ...speaks, [path]: value }))).toThrow(`speaks.${path} is`);
  expect(() => parseConfig(changed("speaks", { ...speaks, modes: ["sing"] }))).toThrow('"instruct"');
});

it("takes a vocoder with one residual block for each stage", () => {
  const vocoder = { ...TINY.vocoder, resKernels: [3], resDilations: [[1, 3]] };
  expect(parseConfig(changed("vocoder", vocoder)).vocoder).toEqual(vocoder);
});

describe("numbers that would never end", () => {
  it.each([
    ["lm.layers", 257],
    ["lm.maxPositions", 2 ** 21],
    ["lm.maxRatio", 1e6],
    ["lm.sampling.topK", 2 ** 20],
    ["lm.sampling.window", 2 ** 20],
    ["flow.blocks", 2 ** 24],
    ["flow.solver.steps", 1001],
    ["flow.solver.noiseFrames", 2 ** 24],
    ["flow.estimator.midBlocks", 2 ** 24],
    ["vocoder.overtones", 2 ** 20],
    ["vocoder.f0Layers", 2 ** 20],
    ["vocoder.nFft", 2 ** 20],
    ["vocoder.upRates", [2 ** 20, 5]],
    ["vocoder.sourceResKernels", [2 ** 20 + 1, 11]],
    ["vocoder.resDilations.0", [2 ** 20]],
    ["speaker.blocks", [2 ** 24]],
    ["speechTokenizer.layers", 2 ** 24],
    ["mel.nFft", 2 ** 20],
    ["mel.bins", 2 ** 20],
    ["sampleRate", 2 ** 24],
    ["tokenMelRatio", 2 ** 20],
    ["segmentLength", 0],
    ["segmentLimit", 0],
  ])("%s of %j are refused", (path, value) => {
    const parse = () => parseConfig(changed(path, value));
    expect(parse).toThrow(FileError);
    expect(parse).toThrow(`config.json: ${path} is ${JSON.stringify(value)}, expected `);
  });
});

describe("numbers that do not fit each other", () => {
  it.each([
    ["flow.melBins", 6, "mel.bins 5"],
    ["vocoder.melBins", 6, "mel.bins 5"],
    ["speechTokenizer.heads", 3, "a number that splits width 64 into even parts"],
    ["speechTokenizer.heads", 64, "a number that splits width 64 into even parts"],
    ["speaker.melBins", 20, "a multiple of 8"],
    ["speaker.dilations", [1, 2], "as many as blocks, 3"],
    ["sampleRate", 24000, "tokenRate · tokenMelRatio · hop · the product of upRates = 8000"],
    ["lm.speechCodes", 729, "at most flow.codes 728"],
    ["lm.minRatio", 21, "a number from 0 to maxRatio 20"],
    ["lm.sampling.topP", 0, "a number above 0"],
    ["vocoder.upKernels", [16, 12], "upRates [8,5] and an even number more each"],
    ["vocoder.upKernels", [16, 3], "upRates [8,5] and an even number more each"],
    ["vocoder.resKernels", [3, 8], "odd numbers"],
    ["vocoder.sourceResKernels", [7, 10], "odd numbers"],
    ["vocoder.nFft", 12, "a multiple of twice the hop 4"],
    ["vocoder.resDilations", [[1, 3]], "one list for each of resKernels"],
    ["mel.hop", 641, "at most nFft 640"],
    ["mel.win", 641, "at most nFft 640"],
    ["mel.fMin", 4000, "a number from 0 to less than fMax 4000"],
  ])("%s of %j is refused", (path, value, rule) => {
    const other = path === "lm.speechCodes" ? changed("flow.codes", 728) : changed(path, value);
    const parse = () => parseConfig(other);
    expect(parse).toThrow(FileError);
    expect(parse).toThrow(`config.json: ${path} is ${JSON.stringify(value)}, expected ${rule}`);
  });
});
