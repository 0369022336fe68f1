/** out[t, c] = residual[t, c] + v[t, c] + Σ_k weight[k, c] · v[t + k − padLeft, c], v the last third of every row of qkv */
export function fsmn(
  { qkv, weight, residual }: { qkv: Float32Array; weight: Float32Array; residual: Float32Array },
  { frames, width, taps, padLeft }: { frames: number; width: number; taps: number; padLeft: number },
): Float64Array {
  const value = (t: number, c: number): number =>
    t < 0 || t >= frames ? 0 : (qkv[t * 3 * width + 2 * width + c] as number);
  return Float64Array.from({ length: frames * width }, (_, i) => {
    const [t, c] = [Math.floor(i / width), i % width];
    let sum = (residual[i] as number) + value(t, c);
    for (let k = 0; k < taps; k++) sum += (weight[k * width + c] as number) * value(t + k - padLeft, c);
    return sum;
  });
}
