/** Root-mean-square norm of rows. */
export function rmsNorm(
  x: Float32Array,
  weight: Float32Array,
  { width, eps }: { width: number; eps: number },
): Float64Array {
  const out = new Float64Array(x.length);
  for (let first = 0; first < x.length; first += width) {
    let squares = 0;
    for (let k = 0; k < width; k++) squares += (x[first + k] as number) ** 2;
    const scale = 1 / Math.sqrt(squares / width + eps);
    for (let k = 0; k < width; k++) out[first + k] = (x[first + k] as number) * scale * (weight[k] as number);
  }
  return out;
}
