/** What tells the speech tokens of one tokenizer from those of another, which mean other sounds by the same numbers. */
import type { Model } from "./checkpoint/model.js";

/**
 * 16 hexadecimal digits of the SHA-256 of the weights that quantise, which are whole floats in every conversion of a release;
 * undefined for a model without a speech tokenizer.
 */
export async function codebookOf(model: Pick<Model, "components" | "tensors">): Promise<string | undefined> {
  if (!model.components.includes("speechTokenizer")) return undefined;
  const values = await model.tensors("speechTokenizer").read("quantizer._codebook.project_down.weight");
  const digest = await crypto.subtle.digest("SHA-256", Float32Array.from(values));
  return Array.from(new Uint8Array(digest, 0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
