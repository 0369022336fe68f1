/**
 * The product of `matvec` without workgroup memory, for adapters that are a CPU: there a workgroup that meets at a barrier costs more
 * than the whole product.
 *
 *   n[k] = norm ? x[k] · normWeight[k] / sqrt(mean x² + eps) : x[k]
 *   y[c] = Σ_k n[k] · weight[c, k] + bias[c]
 *   out[c] = swiglu ? silu(y[c]) · y[cols + c] : residual[c] + y[c]
 *
 * One thread computes 4 outputs and, with `norm`, the root mean square anew: a quarter more work for no meeting.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";
import { openWeight, type WeightElem } from "./fragments.js";

export type MatvecDirectConstants = {
  elem: WeightElem;
  /** 4 where `inner` is a multiple of 4, else 1. */
  vec: 1 | 4;
  norm: boolean;
  bias: boolean;
  epilogue: "plain" | "residual" | "swiglu";
};

const THREADS = 16;

const bindings = ({ elem, vec, norm, bias, epilogue }: MatvecDirectConstants) =>
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

/** stride4 is ceil(inner / 4). */
const params = { inner: "u32", cols: "u32", stride4: "u32", eps: "f32" } as const;

export const matvecDirect = defineKernel({
  name: "matvecDirect",
  bindings,
  params,
  workgroups: ({ cols }) => fold(Math.ceil(cols / (4 * THREADS))),
  variants: [
    { elem: "f32", vec: 4, norm: true, bias: true, epilogue: "plain" },
    { elem: "f16", vec: 4, norm: true, bias: false, epilogue: "swiglu" },
    { elem: "f16x2", vec: 4, norm: false, bias: false, epilogue: "residual" },
    { elem: "f32", vec: 1, norm: true, bias: true, epilogue: "swiglu" },
  ] as MatvecDirectConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const THREADS = ${THREADS}u;

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

@compute @workgroup_size(THREADS)
fn matvecDirect(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let col = 4u * (flatGroup(group) * THREADS + lane);
  if (col >= params.cols) { return; }
  // Columns past the end repeat the last one; they are not stored.
  let lastCol = params.cols - 1u;
  let r0 = col * params.stride4;
  let r1 = min(col + 1u, lastCol) * params.stride4;
  let r2 = min(col + 2u, lastCol) * params.stride4;
  let r3 = min(col + 3u, lastCol) * params.stride4;
  var sum = vec4f();
#if ${constants.epilogue === "swiglu"}
  let half = params.cols * params.stride4;
  var up = vec4f();
#endif
  var square = 0.0;
  for (var k4 = 0u; k4 < params.stride4; k4++) {
    var v = x4(k4);
#if ${constants.norm}
    square += dot(v, v);
    v *= scale4(k4);
#endif
    sum += vec4f(dot(v, weight4(r0 + k4)), dot(v, weight4(r1 + k4)), dot(v, weight4(r2 + k4)), dot(v, weight4(r3 + k4)));
#if ${constants.epilogue === "swiglu"}
    let k = half + k4;
    up += vec4f(dot(v, weight4(r0 + k)), dot(v, weight4(r1 + k)), dot(v, weight4(r2 + k)), dot(v, weight4(r3 + k)));
#endif
  }
#if ${constants.norm}
  let scale = inverseSqrt(square / f32(params.inner) + params.eps);
  sum *= scale;
#if ${constants.epilogue === "swiglu"}
  up *= scale;
#endif
#endif
  for (var i = 0u; i < min(4u, params.cols - col); i++) {
    let c = col + i;
    var y = sum[i];
#if ${constants.bias}
    y += bias[c];
#endif
#if ${constants.epilogue === "swiglu"}
    var gated = up[i];
#if ${constants.bias}
    gated += bias[params.cols + c];
#endif
    y = silu(y) * gated;
#elif ${constants.epilogue === "residual"}
    y += residual[c];
#endif
    out[c] = y;
  }
}`,
});
