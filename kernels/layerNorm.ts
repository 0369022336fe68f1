/**
 * Layer norm over the channels of every row, with what follows it in the estimator and the encoder in the same pass.
 *
 *   n[r, c]   = (x[r, c] − mean) / sqrt(variance + eps) · weight[c] + bias[c]        (biased variance of row r)
 *   out[r, c] = activate(n[r, c]) · scale + shift[c]
 *
 * `shift` is a slice of one row of a table: the row is the number in `state`, which changes between replays (the solver's step), the
 * slice starts at `shiftOffset`. The mean is taken before the variance, as cancellation would cost digits where a row lies far from
 * zero. A row is shared by `lanes` threads. Rows are frames, of which there are far fewer than one dimension of workgroups holds.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import { type Activation, activate } from "./fragments.js";

export type LayerNormConstants = {
  /** 4 where `width` is a multiple of 4, else 1. */
  vec: 1 | 4;
  activation: Activation;
  shift: boolean;
  /** Threads that share a row: 1 on software GPUs, to which a barrier costs more than a row. */
  lanes: 1 | 16;
};

const WORKGROUP = 64;

const bindings = ({ vec, shift }: LayerNormConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["rows", "width"] },
    weight: { access: "read", elem: "f32", vec, shape: ["width"] },
    bias: { access: "read", elem: "f32", vec, shape: ["width"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["rows", "width"] },
    ...(shift
      ? ({
          shift: { access: "read", elem: "f32", shape: ["shiftStride"], atLeast: true },
          state: { access: "read", elem: "u32", shape: [1] },
        } as const)
      : {}),
  }) as const;

/** shiftStride is the width of a row of the shift table. */
const params = {
  rows: "u32",
  width: "u32",
  eps: "f32",
  scale: "f32",
  shiftStride: "u32",
  shiftOffset: "u32",
} as const;

export const layerNorm = defineKernel({
  name: "layerNorm",
  bindings,
  params,
  workgroups: ({ rows }, { lanes }) => [Math.ceil((rows * lanes) / WORKGROUP), 1, 1],
  variants: [
    { vec: 4, activation: "none", shift: false, lanes: 16 },
    { vec: 4, activation: "mish", shift: true, lanes: 16 },
    { vec: 4, activation: "mish", shift: false, lanes: 16 },
    { vec: 1, activation: "none", shift: false, lanes: 16 },
    { vec: 4, activation: "none", shift: false, lanes: 1 },
    { vec: 1, activation: "mish", shift: true, lanes: 1 },
  ] as LayerNormConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
const LANES = ${constants.lanes}u;
const WORKGROUP = ${WORKGROUP}u;
const VEC = ${constants.vec}u;
alias Item = ${constants.vec === 4 ? "vec4f" : "f32"};
#if ${constants.lanes > 1}
var<workgroup> partial: array<f32, WORKGROUP>;
#endif

${activate(constants.activation)}

fn sumOf(v: Item) -> f32 {
#if ${constants.vec === 4}
  return dot(v, vec4f(1.0));
#else
  return v;
#endif
}

fn originOf(item: u32) -> f32 {
#if ${constants.vec === 4}
  return x[item].x;
#else
  return x[item];
#endif
}

/** Sum over the lanes of this thread's row. */
fn rowSum(value: f32, lane: u32) -> f32 {
#if ${constants.lanes === 1}
  return value;
#else
  workgroupBarrier();
  partial[lane] = value;
  workgroupBarrier();
  let first = lane / LANES * LANES;
  var sum = 0.0;
  for (var i = 0u; i < LANES; i++) { sum += partial[first + i]; }
  return sum;
#endif
}

@compute @workgroup_size(WORKGROUP)
fn layerNorm(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = group.x * (WORKGROUP / LANES) + lane / LANES;
  let live = row < params.rows;
  let items = select(0u, params.width / VEC, live);
  let first = row * (params.width / VEC);
  // Sums start from the row's first value: differences from it keep the digits that a long sum of large values would lose.
  let origin = originOf(select(0u, first, live));
  var sum = 0.0;
  for (var i = lane % LANES; i < items; i += LANES) { sum += sumOf(x[first + i] - origin); }
  let mean = origin + rowSum(sum, lane) / f32(params.width);
  var squares = 0.0;
  for (var i = lane % LANES; i < items; i += LANES) {
    let d = x[first + i] - mean;
    squares += sumOf(d * d);
  }
  let scale = inverseSqrt(rowSum(squares, lane) / f32(params.width) + params.eps);
  for (var i = lane % LANES; i < items; i += LANES) {
    let n = (x[first + i] - mean) * scale * weight[i] + bias[i];
#if ${constants.vec === 4}
    var y = params.scale * vec4f(activate(n.x), activate(n.y), activate(n.z), activate(n.w));
#else
    var y = params.scale * activate(n);
#endif
#if ${constants.shift}
    let at = state[0] * params.shiftStride + params.shiftOffset + VEC * i;
#if ${constants.vec === 4}
    y += vec4f(shift[at], shift[at + 1u], shift[at + 2u], shift[at + 3u]);
#else
    y += shift[at];
#endif
#endif
    out[first + i] = y;
  }
}`,
});
