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
import {
  type RowProductConstants,
  rowProductBindings,
  rowProductParams,
  rowProductReaders,
} from "./matvecFragments.js";

export type MatvecConstants = RowProductConstants & {
  workgroup: 32 | 64;
};

/** Outputs of one workgroup. */
const COLS = 4;

export const matvec = defineKernel({
  name: "matvec",
  bindings: rowProductBindings,
  params: rowProductParams,
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
${declarations(rowProductBindings(constants), rowProductParams)}
const WORKGROUP = ${constants.workgroup}u;
const COLS = ${COLS}u;
/** Sums per workgroup: two per output for swiglu. */
const SUMS = ${constants.epilogue === "swiglu" ? 2 * COLS : COLS}u;
var<workgroup> partial: array<array<f32, SUMS>, WORKGROUP>;
var<workgroup> squares: array<f32, WORKGROUP>;

${flatGroup}
${rowProductReaders(constants)}
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
