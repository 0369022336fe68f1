/**
 * Tensors of the CAM++ speaker encoder under the names of 3D-Speaker. A batch norm that directly follows a convolution is
 * folded into it (the ONNX file comes that way), so those convolutions have a bias; the other batch norms are kept.
 */
import type { SpeakerConfig } from "../src/config.js";
import { affine, type Entries, repeat, type WeightTable } from "./table.js";

/** Output channels of each D-TDNN block; the transit after it halves them. */
export function blockWidths({ tdnnChannels, blocks, growth }: SpeakerConfig): number[] {
  let inputs = tdnnChannels;
  return blocks.map((layers) => {
    const outputs = inputs + layers * growth;
    inputs = outputs / 2;
    return outputs;
  });
}

export function speakerWeights(speaker: SpeakerConfig): WeightTable {
  const { headChannels: head, tdnnChannels, blocks, embedding } = speaker;
  const widths = blockWidths(speaker);
  const last = (widths.at(-1) ?? 0) / 2;
  return new Map([
    ...affine("head.conv1", [head, 1, 3, 3]),
    ...["head.layer1", "head.layer2"].flatMap((layer) => residualLayer(layer, head)),
    ...affine("head.conv2", [head, head, 3, 3]),
    // Three strides of 2 leave an eighth of the mel bins.
    ...affine("xvector.tdnn.linear", [tdnnChannels, (head * speaker.melBins) / 8, 5]),
    ...repeat(blocks.length, (b): Entries => {
      const outputs = widths[b] ?? 0;
      const inputs = b === 0 ? tdnnChannels : (widths[b - 1] ?? 0) / 2;
      const transit = `xvector.transit${b + 1}`;
      return [
        ...repeat(blocks[b] ?? 0, (l) =>
          tdnnLayer(`xvector.block${b + 1}.tdnnd${l + 1}`, inputs + l * speaker.growth, speaker),
        ),
        ...batchNorm(`${transit}.nonlinear.batchnorm`, outputs),
        [`${transit}.linear.weight`, [outputs / 2, outputs, 1]],
        // out_nonlinear's batch norm follows the last transit.
        ...(b === blocks.length - 1 ? ([[`${transit}.linear.bias`, [last]]] as Entries) : []),
      ];
    }),
    ["xvector.dense.linear.weight", [embedding, 2 * last, 1]], // mean and deviation
    ["xvector.dense.nonlinear.batchnorm.running_mean", [embedding]],
    ["xvector.dense.nonlinear.batchnorm.running_var", [embedding]],
  ]);
}

/** Two residual blocks; the first has a stride and so a shortcut. */
function residualLayer(layer: string, c: number): Entries {
  return [
    ...affine(`${layer}.0.conv1`, [c, c, 3, 3]),
    ...affine(`${layer}.0.conv2`, [c, c, 3, 3]),
    ...affine(`${layer}.0.shortcut.0`, [c, c, 1, 1]),
    ...affine(`${layer}.1.conv1`, [c, c, 3, 3]),
    ...affine(`${layer}.1.conv2`, [c, c, 3, 3]),
  ];
}

function batchNorm(prefix: string, width: number): Entries {
  return [...affine(prefix, [width]), [`${prefix}.running_mean`, [width]], [`${prefix}.running_var`, [width]]];
}

function tdnnLayer(layer: string, inputs: number, { bottleneck, growth }: SpeakerConfig): Entries {
  return [
    ...batchNorm(`${layer}.nonlinear1.batchnorm`, inputs),
    ...affine(`${layer}.linear1`, [bottleneck, inputs, 1]),
    [`${layer}.cam_layer.linear_local.weight`, [growth, bottleneck, 3]],
    ...affine(`${layer}.cam_layer.linear1`, [bottleneck / 2, bottleneck, 1]),
    ...affine(`${layer}.cam_layer.linear2`, [growth, bottleneck / 2, 1]),
  ];
}
