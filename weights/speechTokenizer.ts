/** Tensors of the speech tokenizer under the names of the S3Tokenizer state dict; every matrix [out, in]. */
import type { SpeechTokenizerConfig } from "../src/config.js";
import { affine, norm, repeat, type WeightTable } from "./table.js";

export function speechTokenizerWeights(tokenizer: SpeechTokenizerConfig): WeightTable {
  const { width, ffn } = tokenizer;
  return new Map([
    ...affine("encoder.conv1", [width, tokenizer.melBins, 3]),
    ...affine("encoder.conv2", [width, width, 3]),
    ...repeat(tokenizer.layers, (i) => {
      const block = `encoder.blocks.${i}`;
      return [
        ...norm(`${block}.attn_ln`, width),
        ...affine(`${block}.attn.query`, [width, width]),
        [`${block}.attn.key.weight`, [width, width]],
        ...affine(`${block}.attn.value`, [width, width]),
        [`${block}.attn.fsmn_block.weight`, [width, 1, tokenizer.fsmnKernel]],
        ...affine(`${block}.attn.out`, [width, width]),
        ...norm(`${block}.mlp_ln`, width),
        ...affine(`${block}.mlp.0`, [ffn, width]),
        ...affine(`${block}.mlp.2`, [width, ffn]),
      ];
    }),
    ...affine("quantizer._codebook.project_down", [tokenizer.fsqDims, width]),
  ]);
}
