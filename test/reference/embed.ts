/** Rows of a table by id; a negative id reads row 0, one past the end the last row. */
export function embed(
  ids: Int32Array,
  table: Float32Array,
  { rows, width }: { rows: number; width: number },
): Float64Array {
  const out = new Float64Array(ids.length * width);
  ids.forEach((id, t) => {
    const row = Math.min(Math.max(id, 0), rows - 1);
    for (let k = 0; k < width; k++) out[t * width + k] = table[row * width + k] as number;
  });
  return out;
}
