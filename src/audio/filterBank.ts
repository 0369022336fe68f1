/** Overlapping triangles that gather the bins of a spectrum. */
export class FilterBank {
  /** Columns of each row that are not zero: [first, end). */
  private readonly spans: readonly (readonly [first: number, end: number])[];

  /** @param weights [bins, columns] */
  constructor(
    readonly weights: Float32Array,
    readonly columns: number,
  ) {
    this.spans = Array.from({ length: weights.length / columns }, (_, row) => {
      const values = weights.subarray(row * columns, (row + 1) * columns);
      return [Math.max(0, values.findIndex(Boolean)), values.findLastIndex(Boolean) + 1];
    });
  }

  get bins(): number {
    return this.spans.length;
  }

  /**
   * @param spectrum [columns]
   * @param out [bins]
   */
  apply(spectrum: Float64Array, out: Float64Array): void {
    for (const [row, [first, end]] of this.spans.entries()) {
      let sum = 0;
      const start = row * this.columns;
      for (let k = first; k < end; k++) sum += (this.weights[start + k] as number) * (spectrum[k] as number);
      out[row] = sum;
    }
  }
}
