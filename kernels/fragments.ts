/**
 * WGSL shared by two kernels or more: opening stored weights, the activations, and a sine for any argument.
 */
import type { Elem } from "../src/gpu/kernel.js";

/** How 4 weights in a row are stored: f32, native f16, or f16 as two u32 where the device has no `shader-f16`. */
export type WeightElem = Extract<Elem, "f32" | "f16" | "f16x2">;

/** WGSL: `<name>4(i)` is item i of a binding of four weights, as vec4f. */
export function openWeight(name: string, elem: WeightElem): string {
  const body = {
    f32: `return ${name}[i];`,
    f16: `return vec4f(${name}[i]);`,
    f16x2: `let pair = ${name}[i]; return vec4f(unpack2x16float(pair.x), unpack2x16float(pair.y));`,
  }[elem];
  return `fn ${name}4(i: u32) -> vec4f { ${body} }`;
}

export const ACTIVATIONS = ["none", "silu", "gelu", "mish", "elu", "relu", "leakyRelu"] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/**
 * WGSL: `activate(x)`. GELU is the exact erf form; WGSL has no erf, so a rational in x² good to 1e-7 stands in (|x| ≥ 4 is ±1 in f32).
 * `leakyRelu` has the slope PyTorch has by default, 0.01.
 */
export function activate(activation: Activation): string {
  switch (activation) {
    case "none":
      return "fn activate(x: f32) -> f32 { return x; }";
    case "silu":
      return "fn activate(x: f32) -> f32 { return x / (1.0 + exp(-max(x, -80.0))); }";
    case "elu":
      // exp(x) − 1 loses all digits near 0: a short series there keeps them.
      return `fn activate(x: f32) -> f32 {
  if (x > 0.0) { return x; }
  if (x > -0.05) { return x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666668 + x * 0.008333334)))); }
  return exp(x) - 1.0;
}`;
    case "relu":
      return "fn activate(x: f32) -> f32 { return max(x, 0.0); }";
    case "leakyRelu":
      return "fn activate(x: f32) -> f32 { return select(0.01 * x, x, x > 0.0); }";
    case "mish":
      // tanh(log(1 + e)) with e = exp(x) is (e² + 2e) / (e² + 2e + 2); above 20 it is 1 in f32.
      return `fn activate(x: f32) -> f32 {
  let e = exp(min(x, 20.0));
  let n = e * (e + 2.0);
  return select(x * n / (n + 2.0), x, x > 20.0);
}`;
    case "gelu":
      return `fn erf(v: f32) -> f32 {
  let x = clamp(v, -4.0, 4.0);
  let s = x * x;
  var p = -2.72614225801306e-10;
  p = p * s + 2.77068142495902e-08;
  p = p * s - 2.10102402082508e-06;
  p = p * s - 5.69250639462346e-05;
  p = p * s - 7.34990630326855e-04;
  p = p * s - 2.95459980854025e-03;
  p = p * s - 1.60960333262415e-02;
  var q = -1.45660718464996e-05;
  q = q * s - 2.13374055278905e-04;
  q = q * s - 1.68282697438203e-03;
  q = q * s - 7.37332916720468e-03;
  q = q * s - 1.42647390514189e-02;
  return x * p / q;
}
fn activate(x: f32) -> f32 { return 0.5 * x * (1.0 + erf(x * 0.7071067811865476)); }`;
  }
}

/**
 * WGSL: `sine(x)` for an `item` of f32 or a vector of it, good to 2e-7 for |x| up to 2·10⁴. WGSL's own is specified on [−π, π] only, and
 * there to no more than 5e-4.
 *
 * x is reduced to [−π/2, π/2] by multiples of π in three parts, the first two short enough for their products to be exact; the rest
 * is a Taylor series to x¹³, whose error stays below 1e-9.
 */
export function sine(item: "f32" | "Item"): string {
  return `fn sine(x: ${item}) -> ${item} {
  let turns = round(x * 0.31830987);
  let r = ((x - turns * 3.140625) - turns * 9.675025939941406e-4) - turns * 1.5099580e-7;
  let s = r * r;
  var p = ${item}(1.6059044e-10);
  p = p * s - 2.5052108e-8;
  p = p * s + 2.7557319e-6;
  p = p * s - 1.9841270e-4;
  p = p * s + 8.3333333e-3;
  p = p * s - 1.6666667e-1;
  let v = r + r * s * p;
  // An odd multiple of π turns the sign: 2 · fract(turns / 2) is 1 for odd turns.
  return v - 4.0 * fract(0.5 * turns) * v;
}`;
}
