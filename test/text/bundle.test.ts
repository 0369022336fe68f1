import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { normalize } from "../../src/text/normalize.js";
import { loadTokenizer } from "../../src/text/tokenizer.js";

interface TextCase {
  readonly text: string;
  readonly prompt: boolean;
  readonly segments?: string[];
  readonly normalized?: string;
  readonly ids?: number[];
}

const bundle = fileURLToPath(new URL("../../../shared/reference/mini/", import.meta.url));
const read = (path: string) => readFileSync(bundle + path, "utf8");

test.runIf(existsSync(bundle))(
  "text cases of the reference bundle, only where ../shared lies beside the checkout",
  () => {
    const tokenizer = loadTokenizer({
      vocabJson: read("model/CosyVoice-BlankEN/vocab.json"),
      mergesTxt: read("model/CosyVoice-BlankEN/merges.txt"),
      tokenizerConfigJson: read("model/CosyVoice-BlankEN/tokenizer_config.json"),
    });
    const cases = JSON.parse(read("text.json")) as TextCase[];
    let checks = 0;
    for (const { text, ids, segments, normalized } of cases) {
      if (ids) expect(tokenizer.encode(text), text).toEqual(ids);
      if (segments) expect(normalize(text, { tokenizer, split: true }), text).toEqual(segments);
      if (normalized !== undefined) expect(normalize(text, { tokenizer, split: false }), text).toBe(normalized);
      checks += [ids, segments, normalized].filter((field) => field !== undefined).length;
    }
    expect(cases).toHaveLength(52);
    expect(checks).toBe(78);
  },
);
