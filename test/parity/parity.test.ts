/** The committed bundles through the whole parity run, in both types, on every adapter. Bundle c hears, a and b speak. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { findAdapter, openFolder } from "#platform";
import { openModel } from "../../src/checkpoint/model.js";
import { reportAdapter } from "../../src/gpu/adapterReport.js";
import { openBundle } from "../../src/parity/bundle.js";
import { countRows, runParity } from "../../src/parity/parity.js";
import { makeReport, type Row, tableFoot } from "../../src/parity/report.js";
import { adapterNames, testDevice } from "../helpers/device.js";

const path = (name: string) => fileURLToPath(new URL(`../bundles/${name}`, import.meta.url));

const SPEAKING = [
  ...["lm", "lm_greedy", "lm_bistream", "nucleus"],
  ...["noise", "flow", "flow_mask", "vocoder", "source", "stream", "whole"],
];
/** The others are held in both types to closer limits by the tests of their parts, for b too. */
const OF_SEVERAL_PARTS = ["tokenizer", "normalize", "lm_bistream", "stream", "whole"];
const HEARING = ["resample", "mel24k", "whisper_mel", "fbank", "speech_tokenizer", "speaker"];

async function parity(bundlePath: string, dtype: "f32" | "f16", adapter: string, stages?: string[]): Promise<Row[]> {
  const bundle = await openBundle(await openFolder(path(bundlePath)));
  const model = await openModel(await openFolder(path(`${bundlePath}/model`)), { dtype });
  try {
    const device = await testDevice(adapter);
    const before = device.memory;
    const rows: Row[] = [];
    for await (const row of runParity(model, bundle, device, stages ? { stages } : {})) rows.push(row);
    expect(device.memory).toMatchObject({ live: before.live, buffers: before.buffers });
    expect(rows).toHaveLength(countRows(bundle, stages));
    return rows;
  } finally {
    await model.close();
    await bundle.close();
  }
}

describe.each(adapterNames)("on %s", (adapter) => {
  test.each([
    ["a", "f32", SPEAKING],
    ["a", "f16", SPEAKING],
    ["b", "f32", OF_SEVERAL_PARTS],
    ["b", "f16", OF_SEVERAL_PARTS],
    ["c", "f32", HEARING],
    ["c", "f16", HEARING],
  ] as const)("bundle %s in %s: every stage passes", { timeout: 600_000 }, async (bundle, dtype, expected) => {
    const rows = await parity(bundle, dtype, adapter, bundle === "b" ? OF_SEVERAL_PARTS : undefined);
    expect(rows.filter(({ verdict }) => verdict === "fail")).toEqual([]);
    expect(rows.filter(({ verdict }) => verdict === "skip")).toEqual([]);
    const stages = new Set(rows.filter(({ verdict }) => verdict === "pass").map(({ stage }) => stage));
    expect(stages).toEqual(new Set(["tokenizer", "normalize", ...expected]));
  });
});

test("stages can be chosen, and one that nobody knows is refused", async () => {
  const adapter = adapterNames.at(-1) as string;
  const rows = await parity("a", "f32", adapter, ["normalize", "lm_bistream"]);
  expect(new Set(rows.map(({ stage }) => stage))).toEqual(new Set(["normalize", "lm_bistream"]));
  await expect(parity("a", "f32", adapter, ["singing"])).rejects.toThrow('no stage is called "singing"; there are');
});

test("a report counts its rows", async () => {
  const row: Row = { stage: "s", case: "c", tensor: "t", rel: 0, max_abs: 0, limit: 0, verdict: "pass", ms: 1 };
  const adapter = reportAdapter(await findAdapter(adapterNames.at(-1)));
  const report = makeReport(adapter, "f32", [row, { ...row, verdict: "fail" }, { ...row, verdict: "skip" }, row]);
  expect(tableFoot(report)).toBe("2 passed, 1 failed, 1 skipped");
});
