/** One row times a matrix with the norm in front and swiglu or residual behind; see the kernel of the same name. */
export function matvec(
  x: Float32Array,
  weight: Float32Array,
  { inner, cols, stride, eps }: { inner: number; cols: number; stride: number; eps: number },
  options: { epilogue: string; normWeight?: Float32Array; bias?: Float32Array; residual?: Float32Array },
): Float64Array {
  let squares = 0;
  for (const v of x) squares += v * v;
  const scale = options.normWeight ? 1 / Math.sqrt(squares / inner + eps) : 1;
  const row = (c: number): number => {
    let sum = options.bias?.[c] ?? 0;
    for (let k = 0; k < inner; k++) {
      sum += (x[k] as number) * scale * (options.normWeight?.[k] ?? 1) * (weight[c * stride + k] as number);
    }
    return sum;
  };
  return Float64Array.from({ length: cols }, (_, c) => {
    if (options.epilogue !== "swiglu") return row(c) + (options.residual?.[c] ?? 0);
    const gate = row(c);
    return (gate / (1 + Math.exp(-gate))) * row(cols + c);
  });
}
