/** out[t, c] = x[t, c] + sin²(alpha[c] · x[t, c]) / (alpha[c] + 1e-9); the product is rounded to f32 as every f32 engine does. */
export function snake(x: Float32Array, alpha: Float32Array): Float64Array {
  return Float64Array.from(x, (v, i) => {
    const a = alpha[i % alpha.length] as number;
    return v + Math.sin(Math.fround(a * v)) ** 2 / (a + 1e-9);
  });
}
