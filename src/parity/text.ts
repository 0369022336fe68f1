/** The two text stages: tokenizer and normaliser against `text.json`. */
import { openGrammars } from "#platform";
import type { Model } from "../checkpoint/model.js";
import { CosyVoiceError } from "../errors.js";
import { normalize } from "../text/normalize.js";
import type { Tokenizer } from "../text/tokenizer.js";
import { Wetext } from "../text/wetext/wetext.js";
import { tokenizerOf } from "../tokenizerOf.js";
import type { TextCase } from "./bundle.js";
import { type Finding, judgeExact } from "./judge.js";
import { type Row, skipped } from "./report.js";

type Field = "ids" | "segments" | "normalized";

const STAGE_OF: Readonly<Record<Field, string>> = { ids: "tokenizer", segments: "normalize", normalized: "normalize" };

/** One row per field that a case has. @param wanted says whether a stage was asked for. */
export async function* textRows(
  model: Model,
  texts: readonly TextCase[],
  wanted: (stage: string) => boolean,
): AsyncGenerator<Row> {
  if (texts.length === 0) return;
  const tokenizer = await tokenizerOf(model);
  const wetext = new Wetext(openGrammars);
  for (const [index, test] of texts.entries()) {
    for (const field of ["ids", "segments", "normalized"] as const) {
      const stage = STAGE_OF[field];
      if (test[field] === undefined || !wanted(stage)) continue;
      if (field !== "ids" && test.normalizer !== "none" && test.normalizer !== "wetext") {
        yield skipped(stage, String(index), field, "unknown");
        continue;
      }
      const start = performance.now();
      const finding = await compare(test, field, tokenizer, wetext);
      yield { stage, case: String(index), tensor: field, ...finding, ms: performance.now() - start };
    }
  }
}

async function compare(test: TextCase, field: Field, tokenizer: Tokenizer, wetext: Wetext): Promise<Finding> {
  try {
    if (field === "ids") return judgeExact(tokenizer.encode(test.text), test.ids ?? []);
    const normalizer = test.normalizer === "wetext" ? await wetext.normalizerFor(test.text) : "none";
    const out =
      field === "segments"
        ? normalize(test.text, { tokenizer, normalizer, split: true })
        : normalize(test.text, { tokenizer, normalizer, split: false });
    return judgeText(out, test[field] ?? "");
  } catch (error) {
    if (!(error instanceof CosyVoiceError)) throw error;
    return { rel: null, max_abs: null, limit: 0, verdict: "fail", reason: error.message };
  }
}

function judgeText(out: string | readonly string[], reference: string | readonly string[]): Finding {
  const [got, want] = [JSON.stringify(out), JSON.stringify(reference)];
  if (got === want) return { rel: 0, max_abs: 0, limit: 0, verdict: "pass" };
  const at = Array.from(want).findIndex((character, i) => character !== Array.from(got)[i]);
  const near = (text: string) =>
    Array.from(text)
      .slice(Math.max(0, at - 10), at + 20)
      .join("");
  return {
    rel: 1,
    max_abs: 1,
    limit: 0,
    verdict: "fail",
    reason: `differs at character ${at}: …${near(got)}… instead of …${near(want)}…`,
  };
}
