/** A language model of a few thousand random weights, made from names alone, with odd sizes. */
import type { Model, WeightSource } from "../../src/checkpoint/model.js";
import type { LmConfig } from "../../src/config.js";
import { FileError } from "../../src/errors.js";
import { namedTensor } from "./synthetic.js";

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

function shapes(c: LmConfig): Map<string, readonly number[]> {
  const table = new Map<string, readonly number[]>([
    ["llm_embedding.weight", [2, c.width]],
    ["speech_embedding.weight", [c.speechRows, c.width]],
    ["llm_decoder.weight", [c.speechRows, c.width]],
    ["llm_decoder.bias", [c.speechRows]],
    ["llm.model.model.embed_tokens.weight", [c.textRows, c.width]],
    ["llm.model.model.norm.weight", [c.width]],
  ]);
  for (let i = 0; i < c.layers; i++) {
    const layer = `llm.model.model.layers.${i}`;
    for (const [part, heads] of [
      ["q", c.heads],
      ["k", c.kvHeads],
      ["v", c.kvHeads],
    ] as const) {
      table.set(`${layer}.self_attn.${part}_proj.weight`, [heads * c.headDim, c.width]);
      table.set(`${layer}.self_attn.${part}_proj.bias`, [heads * c.headDim]);
    }
    table.set(`${layer}.self_attn.o_proj.weight`, [c.width, c.heads * c.headDim]);
    table.set(`${layer}.input_layernorm.weight`, [c.width]);
    table.set(`${layer}.post_attention_layernorm.weight`, [c.width]);
    table.set(`${layer}.mlp.gate_proj.weight`, [c.ffn, c.width]);
    table.set(`${layer}.mlp.up_proj.weight`, [c.ffn, c.width]);
    table.set(`${layer}.mlp.down_proj.weight`, [c.width, c.ffn]);
  }
  return table;
}

/** @param bias added to the head's bias by id, to make an id likely, impossible or no number */
export function tinyLm(bias: Readonly<Record<number, number>> = {}, config: LmConfig = TINY_LM): Model {
  const table = shapes(config);
  const shapeOf = (name: string): readonly number[] => {
    const shape = table.get(name);
    if (!shape) throw new FileError(`tiny: no tensor ${name}`);
    return shape;
  };
  const read = async (name: string) => {
    const values = namedTensor(name, shapeOf(name));
    if (name === "llm_decoder.bias") {
      for (const [id, add] of Object.entries(bias)) values[Number(id)] = (values[Number(id)] as number) + add;
    }
    return values;
  };
  const source: WeightSource = {
    component: "lm",
    names: () => [...table.keys()],
    has: (name) => table.has(name),
    info: (name) => {
      const shape = shapeOf(name);
      return { shape, dtype: "F32", elements: shape.reduce((product, n) => product * n, 1) };
    },
    read,
    readSlice: async (name, start, count) => (await read(name)).slice(start, start + count),
    readBytes: async (name, _dtype, start, count) =>
      new Uint8Array((await read(name)).slice(start, start + count).buffer),
  };
  const nothing = () => {
    throw new FileError("tiny: holds a language model only");
  };
  return {
    name: "tiny",
    config: { lm: config } as Model["config"],
    dtype: "f32",
    components: ["lm"],
    tensors: () => source,
    voices: [],
    voice: nothing,
    tokenizerFiles: nothing,
    close: async () => {},
  };
}
