/** out[i] = leaky( scale · (a[i] + b[i]) ) */
export function leakySum(a: Float32Array, b: Float32Array, scale: number, slope: number): Float64Array {
  return Float64Array.from(a, (v, i) => {
    const sum = scale * (v + (b[i] as number));
    return sum > 0 ? sum : slope * sum;
  });
}
