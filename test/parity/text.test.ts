import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openFolder } from "#platform";
import { openModel } from "../../src/checkpoint/model.js";
import type { TextCase } from "../../src/parity/bundle.js";
import type { Row } from "../../src/parity/report.js";
import { textRows } from "../../src/parity/text.js";

const bundle = fileURLToPath(new URL("../bundles/a/model", import.meta.url));

async function rowsOf(texts: readonly TextCase[]): Promise<Row[]> {
  const model = await openModel(await openFolder(bundle));
  const rows: Row[] = [];
  try {
    for await (const row of textRows(model, texts, () => true)) rows.push(row);
  } finally {
    await model.close();
  }
  return rows;
}

test("a case says which normaliser made it", async () => {
  const text = "会议在2024年3月15日。";
  const wetext = { normalizer: "wetext", prompt: false, segments: ["会议在二零二四年三月十五日。"] };
  const rows = await rowsOf([
    { text, ...wetext },
    { text, normalizer: "none", prompt: false, segments: [text] },
    { text: "At 5:30 pm", normalizer: "wetext", prompt: true, normalized: "At five thirty PM" },
    { text, ...wetext, segments: [text] },
    { text, ...wetext, normalizer: "abacus" },
  ]);
  expect(rows.map(({ verdict }) => verdict)).toEqual(["pass", "pass", "pass", "fail", "skip"]);
  expect(rows[3]?.reason).toContain("differs at character");
  expect(rows[4]?.reason).toContain("unknown");
});
