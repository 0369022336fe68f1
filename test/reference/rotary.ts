/** Queries and keys of qkv [frames, 3, heads, 2 · half] turned by table [frames, half, (cos, sin)]; values stay. */
export function rotary(
  qkv: Float32Array,
  table: Float32Array,
  { frames, heads, half }: { frames: number; heads: number; half: number },
): Float64Array {
  const out = Float64Array.from(qkv);
  for (let t = 0; t < frames; t++) {
    for (let head = 0; head < 2 * heads; head++) {
      for (let j = 0; j < half; j++) {
        const at = (t * 3 * heads + head) * 2 * half + j;
        const [x1, x2] = [qkv[at] as number, qkv[at + half] as number];
        const [cos, sin] = [table[(t * half + j) * 2] as number, table[(t * half + j) * 2 + 1] as number];
        out[at] = x1 * cos - x2 * sin;
        out[at + half] = x2 * cos + x1 * sin;
      }
    }
  }
  return out;
}
