import type { Activation } from "../../kernels/fragments.js";
import { activate } from "./activations.js";

/** out[r, c] = activate((x[r, c] − mean) / sqrt(variance + eps) · weight[c] + bias[c]) · scale + shift[c] */
export function layerNorm(
  x: Float32Array,
  { rows, width, eps, scale }: { rows: number; width: number; eps: number; scale: number },
  options: { weight: Float32Array; bias: Float32Array; activation: Activation; shift?: Float32Array },
): Float64Array {
  const out = new Float64Array(rows * width);
  for (let r = 0; r < rows; r++) {
    const row = x.subarray(r * width, (r + 1) * width);
    const mean = row.reduce((sum, v) => sum + v, 0) / width;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width;
    for (let c = 0; c < width; c++) {
      const n =
        (((row[c] as number) - mean) / Math.sqrt(variance + eps)) * (options.weight[c] as number) +
        (options.bias[c] as number);
      out[r * width + c] = activate(options.activation, n) * scale + (options.shift?.[c] ?? 0);
    }
  }
  return out;
}
