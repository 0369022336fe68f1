/** ids[t] = Σ_d (round(tanh(hidden[t, d]) · scale) + 1) · 3^d, halves to the even number */
export function fsq(hidden: Float32Array, dims: number): Uint32Array {
  return Uint32Array.from({ length: hidden.length / dims }, (_, t) => {
    let id = 0;
    for (let d = 0; d < dims; d++) {
      const level = Math.tanh(hidden[t * dims + d] as number) * 0.9990000128746033;
      // Within ±1, a number of at most a half rounds to 0.
      id += ((Math.abs(level) <= 0.5 ? 0 : Math.sign(level)) + 1) * 3 ** d;
    }
    return id;
  });
}
