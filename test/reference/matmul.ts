import type { Activation } from "../../kernels/fragments.js";
import { activate } from "./activations.js";

/** out[r, c] = residual[r, c] + activate( Σ_k x[r, k] · weight[c, k] + bias[c] ); weight rows are `stride` apart. */
export function matmul(
  x: Float32Array,
  weight: Float32Array,
  { rows, inner, cols, stride }: { rows: number; inner: number; cols: number; stride: number },
  { activation, bias, residual }: { activation: Activation; bias?: Float32Array; residual?: Float32Array },
): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      let sum = bias?.[c] ?? 0;
      for (let k = 0; k < inner; k++) sum += (x[r * inner + k] as number) * (weight[c * stride + k] as number);
      out[r * cols + c] = (residual?.[r * cols + c] ?? 0) + activate(activation, sum);
    }
  }
  return out;
}
