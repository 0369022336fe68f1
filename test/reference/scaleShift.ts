/** out[r, c] = x[r, c] · scale[c] + shift[c], what is negative cut to 0 where `relu` */
export function scaleShift(x: Float32Array, scale: Float32Array, shift: Float32Array, relu: boolean): Float64Array {
  return Float64Array.from(x, (v, i) => {
    const c = i % scale.length;
    const y = v * (scale[c] as number) + (shift[c] as number);
    return relu ? Math.max(y, 0) : y;
  });
}
