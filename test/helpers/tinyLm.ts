/** Language models without a checkpoint: weights made from names alone. */

import { toHalf } from "../../src/checkpoint/dtype.js";
import type { Model, WeightDtype, WeightSource } from "../../src/checkpoint/model.js";
import type { LmConfig } from "../../src/config.js";
import { FileError } from "../../src/errors.js";
import { lmWeights } from "../../weights/lm.js";
import { namedTensor } from "./synthetic.js";

/** A few thousand weights, odd sizes. */
export const TINY_LM: LmConfig = {
  layers: 2,
  width: 22,
  heads: 3,
  kvHeads: 1,
  headDim: 6,
  ffn: 26,
  textRows: 30,
  speechCodes: 40,
  speechRows: 43,
  ropeTheta: 10_000,
  normEps: 1e-6,
  maxPositions: 200,
  sampling: { topP: 0.8, topK: 25, window: 10, tauR: 0.1 },
  mixRatio: [5, 15],
  minRatio: 2,
  maxRatio: 20,
};

/**
 * A model of any size whose weights are made when they are read.
 * @param bias added to the head's bias by id, to make an id likely, impossible or no number
 */
export function syntheticLm(config: LmConfig, dtype: WeightDtype, bias: Readonly<Record<number, number>> = {}): Model {
  const table = lmWeights(config);
  const shapeOf = (name: string): readonly number[] => {
    const shape = table.get(name);
    if (!shape) throw new FileError(`synthetic: no tensor ${name}`);
    return shape;
  };
  const elementsOf = (name: string) => shapeOf(name).reduce((product, n) => product * n, 1);
  const readSlice = async (name: string, start: number, count: number) => {
    const values = namedTensor(name, shapeOf(name), start, count);
    if (name === "llm_decoder.bias") {
      for (const [id, add] of Object.entries(bias)) values[Number(id)] = (values[Number(id)] as number) + add;
    }
    return values;
  };
  const source: WeightSource = {
    component: "lm",
    names: () => [...table.keys()],
    has: (name) => table.has(name),
    info: (name) => ({ shape: shapeOf(name), dtype: "F32", elements: elementsOf(name) }),
    read: (name) => readSlice(name, 0, elementsOf(name)),
    readSlice,
    readBytes: async (name, as, start, count) => {
      const values = await readSlice(name, start, count);
      return new Uint8Array((as === "f16" ? toHalf(values) : values).buffer as ArrayBuffer);
    },
  };
  const nothing = () => {
    throw new FileError("synthetic: holds a language model only");
  };
  return {
    name: "synthetic",
    config: { lm: config } as Model["config"],
    dtype,
    components: ["lm"],
    tensors: () => source,
    voices: [],
    warnings: [],
    damaged: new Map(),
    voice: nothing,
    tokenizerFiles: nothing,
    close: async () => {},
  };
}

export function tinyLm(bias: Readonly<Record<number, number>> = {}): Model {
  return syntheticLm(TINY_LM, "f32", bias);
}
