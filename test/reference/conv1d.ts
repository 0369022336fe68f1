import type { Activation } from "../../kernels/fragments.js";
import { activate } from "./activations.js";

export interface ConvSizes {
  readonly batch: number;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly channelsIn: number;
  readonly channelsOut: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padLeft: number;
  readonly upsample: number;
}

/** Convolution by its definition; weight [out, taps, padded], channels past `channelsIn` ignored. */
export function conv1d(
  x: Float32Array,
  weight: Float32Array,
  { batch, framesIn, framesOut, channelsIn, channelsOut, taps, stride, dilation, padLeft, upsample }: ConvSizes,
  { activation, bias, residual }: { activation: Activation; bias?: Float32Array; residual?: Float32Array },
): Float64Array {
  const padded = weight.length / (channelsOut * taps);
  const out = new Float64Array(batch * framesOut * channelsOut);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < framesOut; t++) {
      for (let o = 0; o < channelsOut; o++) {
        let sum = bias?.[o] ?? 0;
        for (let k = 0; k < taps; k++) {
          const p = Math.floor((t * stride + k * dilation - padLeft) / upsample);
          if (p < 0 || p >= framesIn) continue;
          for (let i = 0; i < channelsIn; i++) {
            sum += (x[(b * framesIn + p) * channelsIn + i] as number) * (weight[(o * taps + k) * padded + i] as number);
          }
        }
        const at = (b * framesOut + t) * channelsOut + o;
        out[at] = (residual?.[at] ?? 0) + activate(activation, sum);
      }
    }
  }
  return out;
}
