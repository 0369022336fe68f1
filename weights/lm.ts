/** Tensors of the language model: Qwen2 backbone, speech embedding and speech head (state dict of `Qwen2LM`). */
import type { LmConfig } from "../src/config.js";
import { affine, repeat, type WeightTable } from "./table.js";

export function lmWeights(lm: LmConfig): WeightTable {
  const { width, ffn } = lm;
  const query = lm.heads * lm.headDim;
  const keyValue = lm.kvHeads * lm.headDim;
  return new Map([
    ["llm_embedding.weight", [2, width]], // rows: start of sequence, task id
    ["speech_embedding.weight", [lm.speechRows, width]],
    ["llm.model.model.embed_tokens.weight", [lm.textRows, width]],
    ...repeat(lm.layers, (i) => {
      const layer = `llm.model.model.layers.${i}`;
      return [
        [`${layer}.input_layernorm.weight`, [width]],
        ...affine(`${layer}.self_attn.q_proj`, [query, width]),
        ...affine(`${layer}.self_attn.k_proj`, [keyValue, width]),
        ...affine(`${layer}.self_attn.v_proj`, [keyValue, width]),
        [`${layer}.self_attn.o_proj.weight`, [width, query]],
        [`${layer}.post_attention_layernorm.weight`, [width]],
        [`${layer}.mlp.gate_proj.weight`, [ffn, width]],
        [`${layer}.mlp.up_proj.weight`, [ffn, width]],
        [`${layer}.mlp.down_proj.weight`, [width, ffn]],
      ];
    }),
    ["llm.model.model.norm.weight", [width]],
    ...affine("llm_decoder", [lm.speechRows, width]),
  ]);
}
