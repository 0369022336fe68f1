/** Transposed convolution of leaky(x) with a reflection pad in front and a residual; weight rows of `pitch` channels [out, taps, pitch]. */
export function convTranspose1d(
  x: Float32Array,
  weight: Float32Array,
  bias: Float32Array,
  sizes: {
    framesIn: number;
    channelsIn: number;
    channelsOut: number;
    pitch: number;
    taps: number;
    stride: number;
    pad: number;
  },
  { slope = 1, shift = 0, residual }: { slope?: number; shift?: number; residual?: Float32Array },
): Float64Array {
  const { framesIn, channelsIn, channelsOut, pitch, taps, stride, pad } = sizes;
  const frames = (framesIn - 1) * stride - 2 * pad + taps;
  const y = new Float64Array(frames * channelsOut);
  for (let q = 0; q < framesIn; q++) {
    for (let k = 0; k < taps; k++) {
      const t = q * stride + k - pad;
      if (t < 0 || t >= frames) continue;
      for (let o = 0; o < channelsOut; o++) {
        for (let i = 0; i < channelsIn; i++) {
          const v = x[q * channelsIn + i] as number;
          y[t * channelsOut + o] =
            (y[t * channelsOut + o] as number) +
            (v > 0 ? v : slope * v) * (weight[(o * taps + k) * pitch + i] as number);
        }
      }
    }
  }
  return Float64Array.from({ length: (frames + shift) * channelsOut }, (_, at) => {
    const o = at % channelsOut;
    const t = Math.abs((at - o) / channelsOut - shift);
    return (y[t * channelsOut + o] as number) + (bias[o] as number) + (residual?.[at] ?? 0);
  });
}
