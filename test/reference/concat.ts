/** Rows of a and b side by side. */
export function concat(a: Float32Array, b: Float32Array, rows: number): Float64Array {
  const [widthA, widthB] = [a.length / rows, b.length / rows];
  const out = new Float64Array(rows * (widthA + widthB));
  for (let r = 0; r < rows; r++) {
    out.set(a.subarray(r * widthA, (r + 1) * widthA), r * (widthA + widthB));
    out.set(b.subarray(r * widthB, (r + 1) * widthB), r * (widthA + widthB) + widthA);
  }
  return out;
}
