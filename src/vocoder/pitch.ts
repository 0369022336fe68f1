/** The pitch predictor (ConvRNNF0Predictor): a mel spectrogram gives the fundamental frequency of every frame. */
import type { VocoderConfig } from "../config.js";
import type { Graph } from "../gpu/graph.js";
import { dim, reshape, type Tensor } from "../gpu/tensor.js";
import { conv1d } from "../ops/conv.js";
import { linear } from "../ops/linear.js";
import type { ConvWeight, Matrix, Weights } from "../ops/weights.js";

export interface Pitch {
  readonly layers: readonly { readonly weight: ConvWeight; readonly bias: Tensor }[];
  readonly classifier: { readonly weight: Matrix; readonly bias: Tensor };
}

/** `weights` must be f32: an error in f0 adds up in the phase of the source for as long as the utterance lasts. */
export async function loadPitch(weights: Weights, vocoder: VocoderConfig): Promise<Pitch> {
  const layers: Pitch["layers"][number][] = [];
  for (let i = 0; i < vocoder.f0Layers; i++) {
    // In the state dict every second module is an activation without parameters.
    const name = `f0_predictor.condnet.${2 * i}`;
    layers.push({ weight: await weights.conv(`${name}.weight`), bias: await weights.vector(`${name}.bias`) });
  }
  return {
    layers,
    classifier: {
      weight: await weights.matrix("f0_predictor.classifier.weight"),
      bias: await weights.vector("f0_predictor.classifier.bias"),
    },
  };
}

/** mel [M, melBins] -> frequency in Hz, with any sign; its absolute value counts: [M]. */
export function pitch(g: Graph, mel: Tensor, { layers, classifier }: Pitch): Tensor {
  let x = mel;
  for (const { weight, bias } of layers) {
    x = conv1d(g, x, weight, { bias, activation: "elu", padLeft: (weight.taps - 1) / 2 }); // [M, f0Width]
  }
  return reshape(linear(g, x, classifier.weight, { bias: classifier.bias }), [dim(mel, 0)]);
}
