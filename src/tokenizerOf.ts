/** The tokenizer of a model. */
import type { Model } from "./checkpoint/model.js";
import { FileError } from "./errors.js";
import { loadTokenizer, type Tokenizer } from "./text/tokenizer.js";

/** @throws FileError when a tokenizer file is missing or damaged. */
export async function tokenizerOf(model: Model): Promise<Tokenizer> {
  const { vocab, merges, config } = await model.tokenizerFiles();
  try {
    return loadTokenizer({ vocabJson: vocab, mergesTxt: merges, tokenizerConfigJson: config });
  } catch (error) {
    if (error instanceof FileError) throw new FileError(`${model.name}: ${error.message}`, { cause: error });
    throw error;
  }
}
