/** Splits rows of q, k, v, and turns queries and keys by their position. */

export interface HeadSizes {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** One head turned: element j pairs with j + D/2. */
function turn(x: ArrayLike<number>, first: number, angles: ArrayLike<number>, position: number, d: number): number[] {
  const half = d / 2;
  return Array.from({ length: d }, (_, i) => {
    const j = i % half;
    const cos = angles[(position * half + j) * 2] as number;
    const sin = angles[(position * half + j) * 2 + 1] as number;
    const a = x[first + j] as number;
    const b = x[first + j + half] as number;
    return i < half ? a * cos - b * sin : b * cos + a * sin;
  });
}

/** Each [rows][head][D]. `rope` is (cos, sin) [positions, D/2, 2]. */
export function ropeCache(
  qkv: Float32Array,
  rope: Float32Array,
  position: number,
  { heads, kvHeads, headDim }: HeadSizes,
): { q: number[][][]; keys: number[][][]; values: number[][][] } {
  const slots = heads + 2 * kvHeads;
  const rows = qkv.length / (slots * headDim);
  const head = (t: number, slot: number) => (t * slots + slot) * headDim;
  const turned = (t: number, slot: number) => turn(qkv, head(t, slot), rope, position + t, headDim);
  const each = (count: number, of: (t: number, i: number) => number[]) =>
    Array.from({ length: rows }, (_, t) => Array.from({ length: count }, (__, i) => of(t, i)));
  return {
    q: each(heads, turned),
    keys: each(kvHeads, (t, g) => turned(t, heads + g)),
    values: each(kvHeads, (t, g) => {
      const first = head(t, heads + kvHeads + g);
      return Array.from(qkv.subarray(first, first + headDim));
    }),
  };
}
