/** Tensors of the vocoder, weight norm folded (state dict of `HiFTGenerator`). */
import type { VocoderConfig } from "../src/config.js";
import { affine, type Entries, repeat, type WeightTable } from "./table.js";

export function vocoderWeights(vocoder: VocoderConfig): WeightTable {
  const { base, upRates, upKernels, resKernels, nFft, f0Width, melBins } = vocoder;
  const spectrum = nFft + 2; // real and imaginary part of nFft/2 + 1 bins
  const channels = (stage: number) => base / 2 ** (stage + 1);
  return new Map([
    ...repeat(vocoder.f0Layers, (i) =>
      affine(`f0_predictor.condnet.${2 * i}`, [f0Width, i === 0 ? melBins : f0Width, 3]),
    ),
    ...affine("f0_predictor.classifier", [1, f0Width]),
    ...affine("m_source.l_linear", [1, vocoder.overtones + 1]),
    ...affine("conv_pre", [base, melBins, 7]),
    ...repeat(upRates.length, (i): Entries => {
      const c = channels(i);
      return [
        // A transposed convolution: [in, out, kernel].
        [`ups.${i}.weight`, [2 * c, c, upKernels[i] ?? 0]],
        [`ups.${i}.bias`, [c]],
        ...affine(`source_downs.${i}`, [c, spectrum, sourceKernel(upRates, i)]),
        ...residual(`source_resblocks.${i}`, c, vocoder.sourceResKernels[i] ?? 0, vocoder.sourceResDilations[i] ?? []),
        ...repeat(resKernels.length, (j) =>
          residual(`resblocks.${i * resKernels.length + j}`, c, resKernels[j] ?? 0, vocoder.resDilations[j] ?? []),
        ),
      ];
    }),
    ...affine("conv_post", [spectrum, channels(upRates.length - 1), 7]),
  ]);
}

/** Kernel of the convolution that brings the source spectrum to the rate of up-sampling stage `stage`: twice its stride. */
function sourceKernel(upRates: readonly number[], stage: number): number {
  const stride = upRates.slice(stage + 1).reduce((product, rate) => product * rate, 1);
  return stride === 1 ? 1 : 2 * stride;
}

function residual(prefix: string, channels: number, kernel: number, dilations: readonly number[]): Entries {
  return repeat(dilations.length, (i) => [
    [`${prefix}.activations1.${i}.alpha`, [channels]],
    ...affine(`${prefix}.convs1.${i}`, [channels, channels, kernel]),
    [`${prefix}.activations2.${i}.alpha`, [channels]],
    ...affine(`${prefix}.convs2.${i}`, [channels, channels, kernel]),
  ]);
}
