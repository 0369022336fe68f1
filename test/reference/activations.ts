/** The activations in double precision. */
import type { Activation } from "../../kernels/fragments.js";

/** erf by its series near 0 and by the continued fraction of erfc beyond: good to 1e-15. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 80; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

export function activate(activation: Activation, x: number): number {
  switch (activation) {
    case "none":
      return x;
    case "silu":
      return x / (1 + Math.exp(-x));
    case "gelu":
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case "mish":
      return x * Math.tanh(Math.log1p(Math.exp(x)));
    case "elu":
      return x > 0 ? x : Math.expm1(x);
    case "relu":
      return Math.max(x, 0);
    case "leakyRelu":
      return x > 0 ? x : 0.01 * x;
  }
}
