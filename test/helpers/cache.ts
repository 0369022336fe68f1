/** The key/value cache as the kernels lay it out (`kernels/cacheFragments.ts`), written and read position by position. */
import type { Operand } from "./kernel.js";

export interface CacheShape {
  readonly lengths: readonly [number, number, number, number];
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Where column d of a position lies: segment and index of the float. */
function place(
  { lengths, kvHeads, headDim }: CacheShape,
  kind: "key" | "value",
  position: number,
  g: number,
  d: number,
) {
  const d4 = Math.ceil(headDim / 4);
  let row = position;
  let segment = 0;
  while (row >= (lengths[segment] as number)) row -= lengths[segment++] as number;
  const length = lengths[segment] as number;
  const block = Math.floor(d / 4);
  const vec =
    kind === "key" ? (g * d4 + block) * length + row : kvHeads * d4 * length + (g * length + row) * d4 + block;
  return { segment, index: vec * 4 + (d % 4) };
}

export function packCache(shape: CacheShape, keys: number[][][], values: number[][][]): Record<string, Operand> {
  const width = 2 * shape.kvHeads * Math.ceil(shape.headDim / 4) * 4;
  const buffers = shape.lengths.map((length) => new Float32Array(length === 0 ? 4 : length * width));
  for (const [kind, rows] of [
    ["key", keys],
    ["value", values],
  ] as const) {
    rows.forEach((heads, position) => {
      heads.forEach((head, g) => {
        head.forEach((v, d) => {
          const { segment, index } = place(shape, kind, position, g, d);
          (buffers[segment] as Float32Array)[index] = v;
        });
      });
    });
  }
  return Object.fromEntries(
    buffers.map((data, s) => [
      `cache${s}`,
      { shape: shape.lengths[s] === 0 ? [4] : [shape.lengths[s] ?? 0, width], data },
    ]),
  );
}

/** One head of one position. */
export function readCache(
  shape: CacheShape,
  buffers: Readonly<Record<string, Float32Array>>,
  kind: "key" | "value",
  position: number,
  g: number,
): number[] {
  return Array.from({ length: shape.headDim }, (_, d) => {
    const { segment, index } = place(shape, kind, position, g, d);
    return buffers[`cache${segment}`]?.[index] ?? Number.NaN;
  });
}

/** (cos, sin) [positions, D/2, 2] with theta 100, so that small heads turn too. */
export function angles(positions: number, headDim: number): Float32Array {
  const half = headDim / 2;
  return Float32Array.from({ length: positions * headDim }, (_, i) => {
    const position = Math.floor(i / headDim);
    const angle = position * 100 ** (-Math.floor((i % headDim) / 2) / half);
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
}

/** Random heads [positions][kvHeads][D]. */
export function heads3(data: Float32Array, kvHeads: number, headDim: number): number[][][] {
  const rows: number[][][] = [];
  for (let first = 0; first < data.length; first += kvHeads * headDim) {
    rows.push(
      Array.from({ length: kvHeads }, (_, g) =>
        Array.from(data.subarray(first + g * headDim, first + (g + 1) * headDim)),
      ),
    );
  }
  return rows;
}
