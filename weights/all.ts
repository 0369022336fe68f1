/** The tables of all components, the check against them, and which tensors stay whole floats in a model folder of halves. */
import type { Component, Config } from "../src/config.js";
import { FileError } from "../src/errors.js";
import { flowWeights } from "./flow.js";
import { lmWeights } from "./lm.js";
import { speakerWeights } from "./speaker.js";
import { speechTokenizerWeights } from "./speechTokenizer.js";
import type { WeightTable } from "./table.js";
import { vocoderWeights } from "./vocoder.js";

/** @throws FileError when the config does not describe the component. */
export function weightTable(component: Component, config: Config): WeightTable {
  const table = {
    lm: () => config.lm && lmWeights(config.lm),
    flow: () => config.flow && flowWeights(config.flow, config.tokenMelRatio),
    vocoder: () => config.vocoder && vocoderWeights(config.vocoder),
    speechTokenizer: () => config.speechTokenizer && speechTokenizerWeights(config.speechTokenizer),
    speaker: () => config.speaker && speakerWeights(config.speaker),
  }[component]();
  if (!table) throw new FileError(`config: there is no "${component}" in it`);
  return table;
}

/**
 * Whether a tensor may be kept as halves. Vectors may not: they are small, and biases and gains add up. The speech tokenizer
 * may not: its decisions sit on an edge. The pitch predictor and the harmonic source may not: the phase integrates the pitch, so
 * their errors grow with time. Nor may the flow: an error of 5e-4 in the mel moves the pitch enough to break the same integral
 * (log-mel correlation 0.83 to 0.99 after five seconds of a random model, 1.0000 with this rule), and its products over many rows
 * are bound by arithmetic, not by the bytes of the weights.
 */
export function mayBeHalf(component: Component, name: string, shape: readonly number[]): boolean {
  if (shape.length < 2 || component === "speechTokenizer" || component === "flow") return false;
  return !(component === "vocoder" && /^(f0_predictor|m_source)\./.test(name));
}
