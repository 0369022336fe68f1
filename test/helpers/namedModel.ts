/** A model of any config whose tensors are made from their names, and a reader of the same values for references. */
import type { Model, WeightDtype } from "../../src/checkpoint/model.js";
import { COMPONENTS, type Config } from "../../src/config.js";
import { weightTable } from "../../weights/all.js";
import { namedTensor, syntheticSource } from "./synthetic.js";

const NEVER = /^$/;
const refuse = () => Promise.reject(new Error("a model made from names has no such file"));

export function namedModel(config: Config, dtype: WeightDtype = "f32"): Model {
  return {
    name: "named",
    config,
    dtype,
    components: COMPONENTS.filter((component) => config[component] !== undefined),
    tensors: (component) => syntheticSource(component, weightTable(component, config), NEVER),
    voices: [],
    warnings: [],
    damaged: new Map(),
    voice: refuse,
    tokenizerFiles: refuse,
    close: () => Promise.resolve(),
  };
}

/** The values of a component's tensors. @throws Error for a name that its table lacks */
export function namedReader(
  component: Parameters<typeof weightTable>[0],
  config: Config,
): (name: string) => Float32Array {
  const table = weightTable(component, config);
  return (name) => {
    const shape = table.get(name);
    if (!shape) throw new Error(`${component} has no tensor ${name}`);
    return namedTensor(name, shape);
  };
}
