/**
 * One row times a matrix, as decoding needs it: bound by reading the weight once.
 *
 *   n[k] = norm ? x[k] · normWeight[k] / sqrt(mean x² + eps) : x[k]
 *   y[c] = Σ_k n[k] · weight[c, k] + bias[c]
 *   out[c] = swiglu ? silu(y[c]) · y[cols + c] : residual[c] + y[c]
 *
 * One workgroup computes COLS outputs; its lanes walk k in fours. The root mean square is recomputed by every workgroup: a few
 * kilobytes from cache are cheaper than one more dispatch. With `swiglu` the weight holds gate rows, then up rows.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";
import { openWeight, type WeightElem } from "./fragments.js";

export type MatvecConstants = {
  elem: WeightElem;
  /** 4 where `inner` is a multiple of 4, else 1. */
  vec: 1 | 4;
  norm: boolean;
  bias: boolean;
  epilogue: "plain" | "residual" | "swiglu";
  workgroup: 32 | 64;
};

/** Outputs of one workgroup. */
const COLS = 4;

const bindings = ({ elem, vec, norm, bias, epilogue }: MatvecConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["inner"] },
    weight: { access: "read", elem, vec: 4, shape: [epilogue === "swiglu" ? "2*cols" : "cols", "stride4", 4] },
    out: { access: "read_write", elem: "f32", shape: ["cols"] },
    ...(norm ? { normWeight: { access: "read", elem: "f32", vec, shape: ["inner"] } as const } : {}),
    ...(bias
      ? { bias: { access: "read", elem: "f32", shape: [epilogue === "swiglu" ? "2*cols" : "cols"] } as const }
      : {}),
    ...(epilogue === "residual" ? { residual: { access: "read", elem: "f32", shape: ["cols"] } as const } : {}),
  }) as const;

const params = { inner: "u32", cols: "u32", stride4: "u32", eps: "f32" } as const;

export const matvec = defineKernel({
  name: "matvec",
  bindings,
  params,
  workgroups: ({ cols }) => fold(Math.ceil(cols / COLS)),
  variants: [
    { elem: "f32", vec: 4, norm: false, bias: false, epilogue: "plain", workgroup: 64 },
    { elem: "f16", vec: 4, norm: true, bias: true, epilogue: "plain", workgroup: 64 },
    { elem: "f16x2", vec: 4, norm: true, bias: false, epilogue: "swiglu", workgroup: 64 },
    { elem: "f32", vec: 1, norm: true, bias: true, epilogue: "swiglu", workgroup: 32 },
    { elem: "f16x2", vec: 1, norm: false, bias: true, epilogue: "residual", workgroup: 32 },
    { elem: "f16", vec: 1, norm: false, bias: false, epilogue: "residual", workgroup: 64 },
  ] as MatvecConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const WORKGROUP = ${constants.workgroup}u;
const COLS = ${COLS}u;
/** Sums per workgroup: two per output for swiglu. */
const SUMS = ${constants.epilogue === "swiglu" ? 2 * COLS : COLS}u;
var<workgroup> partial: array<array<f32, SUMS>, WORKGROUP>;
var<workgroup> squares: array<f32, WORKGROUP>;

${flatGroup}
${openWeight("weight", constants.elem)}

fn x4(k4: u32) -> vec4f {
#if ${constants.vec === 4}
  return x[k4];
#else
  var v = vec4f();
  for (var i = 0u; i < 4u; i++) { if (4u * k4 + i < params.inner) { v[i] = x[4u * k4 + i]; } }
  return v;
#endif
}

#if ${constants.norm}
fn scale4(k4: u32) -> vec4f {
#if ${constants.vec === 4}
  return normWeight[k4];
#else
  var v = vec4f();
  for (var i = 0u; i < 4u; i++) { if (4u * k4 + i < params.inner) { v[i] = normWeight[4u * k4 + i]; } }
  return v;
#endif
}
#endif

fn silu(v: f32) -> f32 { return v / (1.0 + exp(-max(v, -80.0))); }

@compute @workgroup_size(WORKGROUP)
fn matvec(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let firstCol = flatGroup(group) * COLS;
  var sums: array<f32, SUMS>;
  var square = 0.0;
  for (var k4 = lane; k4 < params.stride4; k4 += WORKGROUP) {
    var v = x4(k4);
#if ${constants.norm}
    square += dot(v, v);
    v *= scale4(k4);
#endif
    for (var s = 0u; s < SUMS; s++) {
      let col = firstCol + s % COLS;
      if (col < params.cols) { sums[s] += dot(v, weight4((col + s / COLS * params.cols) * params.stride4 + k4)); }
    }
  }
  partial[lane] = sums;
  squares[lane] = square;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      for (var s = 0u; s < SUMS; s++) { partial[lane][s] += partial[lane + half][s]; }
      squares[lane] += squares[lane + half];
    }
    workgroupBarrier();
  }
  let col = firstCol + lane;
  if (lane >= COLS || col >= params.cols) { return; }
#if ${constants.norm}
  let scale = inverseSqrt(squares[0] / f32(params.inner) + params.eps);
#else
  let scale = 1.0;
#endif
  var y = partial[0][lane] * scale;
#if ${constants.bias}
  y += bias[col];
#endif
#if ${constants.epilogue === "swiglu"}
  var up = partial[0][lane + COLS] * scale;
#if ${constants.bias}
  up += bias[params.cols + col];
#endif
  y = silu(y) * up;
#elif ${constants.epilogue === "residual"}
  y += residual[col];
#endif
  out[col] = y;
}`,
});
