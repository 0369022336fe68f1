/** Means of the channels, then their unbiased standard deviations. */
export function statsPool(x: Float32Array, frames: number): Float64Array {
  const width = x.length / frames;
  const out = new Float64Array(2 * width);
  for (let c = 0; c < width; c++) {
    const channel = Array.from({ length: frames }, (_, t) => x[t * width + c] as number);
    const mean = channel.reduce((sum, v) => sum + v, 0) / frames;
    out[c] = mean;
    out[width + c] = Math.sqrt(channel.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(frames - 1, 1));
  }
  return out;
}
