/**
 * What loading a model would refuse after its files were read and found whole. A conversion asks for it before it writes, so that a model
 * which was converted also speaks.
 */
import type { Model } from "./checkpoint/model.js";
import { FileError } from "./errors.js";
import { checkFlow } from "./flow/flow.js";
import { checkLm } from "./lm/lm.js";
import { checkSpeechTokenizer } from "./speechTokenizer/speechTokenizer.js";
import { tokenizerOf } from "./tokenizerOf.js";

/** @throws FileError for a damaged tokenizer, one of another model than the weights, and sizes that cannot be computed */
export async function checkSpeakable(model: Model): Promise<void> {
  const { lm, flow, speechTokenizer } = model.config;
  if (lm) checkLm(model.name, lm);
  if (flow) checkFlow(model.name, flow);
  if (speechTokenizer) checkSpeechTokenizer(model.name, speechTokenizer);
  const { size } = await tokenizerOf(model);
  if (lm && size > lm.textRows) {
    throw new FileError(
      `${model.name}: its tokenizer has ${size} ids, its language model rows for ${lm.textRows}; are both of one model?`,
    );
  }
}
