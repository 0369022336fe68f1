export interface StackBinsSizes {
  readonly binsIn: number;
  readonly binsOut: number;
  readonly frames: number;
  readonly channels: number;
  readonly taps: number;
  readonly stride: number;
  readonly padLow: number;
}

/** out[h, t, k · channels + c] = x[h · stride + k − padLow, t, c], 0 outside */
export function stackBins(x: Float32Array, sizes: StackBinsSizes): Float64Array {
  const { binsIn, binsOut, frames, channels, taps, stride, padLow } = sizes;
  const out = new Float64Array(binsOut * frames * taps * channels);
  for (let h = 0; h < binsOut; h++) {
    for (let t = 0; t < frames; t++) {
      for (let k = 0; k < taps; k++) {
        const bin = h * stride + k - padLow;
        if (bin < 0 || bin >= binsIn) continue;
        for (let c = 0; c < channels; c++) {
          out[((h * frames + t) * taps + k) * channels + c] = x[(bin * frames + t) * channels + c] as number;
        }
      }
    }
  }
  return out;
}
