import { activate } from "./activations.js";

/** silu(gate) · up of rows that hold the gate, then the up projection. */
export function swiglu(x: Float32Array, { ffn }: { ffn: number }): Float64Array {
  return Float64Array.from({ length: x.length / 2 }, (_, i) => {
    const first = Math.floor(i / ffn) * 2 * ffn + (i % ffn);
    return activate("silu", x[first] as number) * (x[first + ffn] as number);
  });
}
