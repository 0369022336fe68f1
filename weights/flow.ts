/** Tensors of the flow: token encoder and U-Net estimator (state dict of `CausalMaskedDiffWithXvec`). */
import type { EstimatorConfig, FlowConfig } from "../src/config.js";
import { affine, type Entries, norm, repeat, type WeightTable } from "./table.js";

/** @param tokenMelRatio mel frames per token; the up-sampler's kernel is 2·ratio + 1. */
export function flowWeights(flow: FlowConfig, tokenMelRatio: number): WeightTable {
  const { width, inputWidth, melBins } = flow;
  return new Map([
    ["input_embedding.weight", [flow.codes, inputWidth]],
    ...affine("spk_embed_affine_layer", [melBins, flow.speakerWidth]),
    ...embed("encoder.embed", inputWidth, width),
    ...affine("encoder.pre_lookahead_layer.conv1", [width, width, flow.lookahead + 1]),
    ...affine("encoder.pre_lookahead_layer.conv2", [width, width, 3]),
    ...repeat(flow.blocks, (i) => conformerLayer(`encoder.encoders.${i}`, flow)),
    ...affine("encoder.up_layer.conv", [width, width, 2 * tokenMelRatio + 1]),
    ...embed("encoder.up_embed", width, width),
    ...repeat(flow.upBlocks, (i) => conformerLayer(`encoder.up_encoders.${i}`, flow)),
    ...norm("encoder.after_norm", width),
    ...affine("encoder_proj", [melBins, width]),
    ...estimator("decoder.estimator", flow.estimator, melBins),
  ]);
}

/** Linear and layer norm in front of a conformer stack. */
function embed(prefix: string, from: number, to: number): Entries {
  return [...affine(`${prefix}.out.0`, [to, from]), ...norm(`${prefix}.out.1`, to)];
}

function conformerLayer(layer: string, { width, heads, ffn }: FlowConfig): Entries {
  const headDim = width / heads;
  return [
    ...norm(`${layer}.norm_mha`, width),
    ...affine(`${layer}.self_attn.linear_q`, [width, width]),
    ...affine(`${layer}.self_attn.linear_k`, [width, width]),
    ...affine(`${layer}.self_attn.linear_v`, [width, width]),
    [`${layer}.self_attn.linear_pos.weight`, [width, width]],
    [`${layer}.self_attn.pos_bias_u`, [heads, headDim]],
    [`${layer}.self_attn.pos_bias_v`, [heads, headDim]],
    ...affine(`${layer}.self_attn.linear_out`, [width, width]),
    ...norm(`${layer}.norm_ff`, width),
    ...affine(`${layer}.feed_forward.w_1`, [ffn, width]),
    ...affine(`${layer}.feed_forward.w_2`, [width, ffn]),
  ];
}

/** One level: down, mid × midBlocks, up. Each is a resnet and `blocks` transformer blocks. */
function estimator(prefix: string, config: EstimatorConfig, melBins: number): Entries {
  const { channels, timeWidth } = config;
  const stage = (name: string, inputs: number) => [
    ...resnet(`${prefix}.${name}.0`, inputs, channels, timeWidth),
    ...repeat(config.blocks, (i) => transformerBlock(`${prefix}.${name}.1.${i}`, config)),
  ];
  return [
    ...affine(`${prefix}.time_mlp.linear_1`, [timeWidth, config.timeSinusoids]),
    ...affine(`${prefix}.time_mlp.linear_2`, [timeWidth, timeWidth]),
    ...stage("down_blocks.0", config.inChannels),
    ...affine(`${prefix}.down_blocks.0.2`, [channels, channels, 3]),
    ...repeat(config.midBlocks, (i) => stage(`mid_blocks.${i}`, channels)),
    ...stage("up_blocks.0", 2 * channels),
    ...affine(`${prefix}.up_blocks.0.2`, [channels, channels, 3]),
    ...causalBlock(`${prefix}.final_block`, channels, channels),
    ...affine(`${prefix}.final_proj`, [melBins, channels, 1]),
  ];
}

/** Causal convolution (0) and layer norm (2); 1, 3 and 4 hold no weights. */
function causalBlock(prefix: string, from: number, to: number): Entries {
  return [...affine(`${prefix}.block.0`, [to, from, 3]), ...norm(`${prefix}.block.2`, to)];
}

function resnet(prefix: string, from: number, to: number, timeWidth: number): Entries {
  return [
    ...causalBlock(`${prefix}.block1`, from, to),
    ...affine(`${prefix}.mlp.1`, [to, timeWidth]),
    ...causalBlock(`${prefix}.block2`, to, to),
    ...affine(`${prefix}.res_conv`, [to, from, 1]),
  ];
}

function transformerBlock(block: string, { channels, heads, headDim, ffn }: EstimatorConfig): Entries {
  const inner = heads * headDim;
  return [
    ...norm(`${block}.norm1`, channels),
    [`${block}.attn1.to_q.weight`, [inner, channels]],
    [`${block}.attn1.to_k.weight`, [inner, channels]],
    [`${block}.attn1.to_v.weight`, [inner, channels]],
    ...affine(`${block}.attn1.to_out.0`, [channels, inner]),
    ...norm(`${block}.norm3`, channels),
    ...affine(`${block}.ff.net.0.proj`, [ffn, channels]),
    ...affine(`${block}.ff.net.2`, [channels, ffn]),
  ];
}
