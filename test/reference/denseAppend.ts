/** out[t] = [x[t], local[t] · sigmoid(mask[⌊t / segment⌋])] */
export function denseAppend(
  { x, local, mask }: { x: Float32Array; local: Float32Array; mask: Float32Array },
  { frames, width, growth, segment }: { frames: number; width: number; growth: number; segment: number },
): Float64Array {
  return Float64Array.from({ length: frames * (width + growth) }, (_, i) => {
    const [t, c] = [Math.floor(i / (width + growth)), i % (width + growth)];
    if (c < width) return x[t * width + c] as number;
    const m = mask[Math.floor(t / segment) * growth + c - width] as number;
    return (local[t * growth + c - width] as number) / (1 + Math.exp(-m));
  });
}
