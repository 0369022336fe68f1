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
import {
  type RowProductConstants,
  rowProductBindings,
  rowProductParams,
  rowProductReaders,
} from "./matvecFragments.js";

const THREADS = 16;

export const matvecDirect = defineKernel({
  name: "matvecDirect",
  bindings: rowProductBindings,
  params: rowProductParams,
  workgroups: ({ cols }) => fold(Math.ceil(cols / (4 * THREADS))),
  variants: [
    { elem: "f32", vec: 4, norm: true, bias: true, epilogue: "plain" },
    { elem: "f16", vec: 4, norm: true, bias: false, epilogue: "swiglu" },
    { elem: "f16x2", vec: 4, norm: false, bias: false, epilogue: "residual" },
    { elem: "f32", vec: 1, norm: true, bias: true, epilogue: "swiglu" },
  ] as RowProductConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(rowProductBindings(constants), rowProductParams)}
const THREADS = ${THREADS}u;

${flatGroup}
${rowProductReaders(constants)}
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
