/** Compares two tensors and, where they differ, says how many elements do and shows the worst by its coordinates. */
import { expect } from "vitest";

export interface Tolerance {
  /** |got − want| ≤ abs + rel·|want| */
  readonly abs?: number;
  readonly rel?: number;
}

export function expectClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  { abs = 0, rel = 0 }: Tolerance,
  shape: readonly number[] = [want.length],
  names: readonly string[] = shape.map((_, i) => `axis${i}`),
): void {
  expect(got.length, "number of elements").toBe(want.length);
  let bad = 0;
  let worst = { index: -1, excess: 0 };
  for (let i = 0; i < want.length; i++) {
    const w = want[i] ?? Number.NaN;
    const g = got[i] ?? Number.NaN;
    const excess = Math.abs(g - w) - (abs + rel * Math.abs(w));
    if (excess <= 0) continue;
    bad++;
    if (worst.index < 0 || Number.isNaN(excess) || excess > worst.excess) worst = { index: i, excess };
  }
  if (bad === 0) return;
  let rest = worst.index;
  const coordinates = shape.map(() => 0);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    coordinates[axis] = rest % size;
    rest = Math.floor(rest / size);
  }
  const where = coordinates.map((c, axis) => `${names[axis]}=${c}`).join(", ");
  expect.fail(
    `${bad} of ${want.length} differ; worst at [${where}]: got ${got[worst.index]}, expected ${want[worst.index]} (abs ${abs}, rel ${rel})`,
  );
}
