/** A model of any config with seeded small weights: enough to record and time the real graphs without a checkpoint. */

import { toHalf } from "../src/checkpoint/dtype.js";
import type { Model, WeightDtype, WeightSource } from "../src/checkpoint/model.js";
import { COMPONENTS, type Component, type Config } from "../src/config.js";
import { FileError, InputError } from "../src/errors.js";
import { elements } from "../src/gpu/tensor.js";
import { weightTable } from "../weights/all.js";

export function syntheticModel(config: Config, dtype: WeightDtype): Model {
  return {
    name: "synthetic",
    config,
    dtype,
    components: COMPONENTS.filter((component) => config[component] !== undefined),
    tensors: (component) => syntheticWeights(component, config),
    voices: [],
    warnings: [],
    damaged: new Map(),
    voice: (name) => Promise.reject(new InputError(`the synthetic model has no voice ${name}`)),
    tokenizerFiles: () => Promise.reject(new FileError("the synthetic model has no tokenizer")),
    close: () => Promise.resolve(),
  };
}

/** Values of order 1/√fan-in, so that activations stay of order 1 and no number is denormal. */
function syntheticWeights(component: Component, config: Config): WeightSource {
  const table = weightTable(component, config);
  const shapeOf = (name: string): readonly number[] => {
    const shape = table.get(name);
    if (!shape) throw new FileError(`synthetic ${component}: no tensor ${name}`);
    return shape;
  };
  const values = (name: string, start: number, count: number): Float32Array => {
    const shape = shapeOf(name);
    const scale = shape.length < 2 ? 1 : 1 / Math.sqrt(elements(shape.slice(1)));
    // A Weyl sequence: even, aperiodic and cheap.
    return Float32Array.from({ length: count }, (_, i) => scale * ((((start + i + 1) * 0.6180339887) % 1) - 0.5));
  };
  return {
    component,
    names: () => [...table.keys()],
    has: (name) => table.has(name),
    info: (name) => ({ shape: shapeOf(name), dtype: "F32", elements: elements(shapeOf(name)) }),
    read: (name) => Promise.resolve(values(name, 0, elements(shapeOf(name)))),
    readSlice: (name, start, count) => Promise.resolve(values(name, start, count)),
    readBytes: (name, dtype, start, count) => {
      const slice = values(name, start, count);
      const stored = dtype === "f16" ? toHalf(slice) : slice;
      return Promise.resolve(new Uint8Array(stored.buffer));
    },
  };
}
