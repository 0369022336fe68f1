/**
 * Many rows times a matrix, with bias, activation and residual in the same pass.
 *
 *   out[r, c] = residual[r, c] + activate( Σ_k x[r, k] · weight[c, k] + bias[c] )
 *
 * One workgroup computes a tile of rows × cols from slices of both operands staged in workgroup memory, 16 values of k at a time. A
 * thread's 4 × 4 block is spread over the tile, THREADS apart, so that neighbouring threads touch neighbouring words of workgroup
 * memory and of the output. Used by every linear layer with more than a few rows.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import { type Activation, activate, openWeight, type WeightElem } from "./fragments.js";
import { multiplyTile, tileMemory } from "./tileFragments.js";

export type MatmulConstants = {
  /** Storage of the weight, whose rows are padded with zeros to a multiple of 4. */
  elem: WeightElem;
  /** 4 where `inner` is a multiple of 4, else 1. */
  vec: 1 | 4;
  activation: Activation;
  bias: boolean;
  residual: boolean;
  /** Threads along rows and along cols; the tile is 4 times that. */
  threads: 8 | 16;
};

const bindings = ({ elem, vec, bias, residual }: MatmulConstants) =>
  ({
    x: { access: "read", elem: "f32", vec, shape: ["rows", "inner"] },
    weight: { access: "read", elem, vec: 4, shape: ["cols", "stride4", 4] },
    out: { access: "read_write", elem: "f32", shape: ["rows", "cols"] },
    ...(bias ? { bias: { access: "read", elem: "f32", shape: ["cols"] } as const } : {}),
    ...(residual ? { residual: { access: "read", elem: "f32", shape: ["rows", "cols"] } as const } : {}),
  }) as const;

/** stride4 is ceil(inner / 4). */
const params = { rows: "u32", inner: "u32", cols: "u32", stride4: "u32" } as const;

export const matmul = defineKernel({
  name: "matmul",
  bindings,
  params,
  workgroups: ({ rows, cols }, { threads }) => [Math.ceil(cols / (4 * threads)), Math.ceil(rows / (4 * threads)), 1],
  variants: [
    { elem: "f32", vec: 4, activation: "none", bias: false, residual: false, threads: 8 },
    { elem: "f32", vec: 1, activation: "silu", bias: true, residual: false, threads: 8 },
    { elem: "f16", vec: 4, activation: "gelu", bias: true, residual: false, threads: 8 },
    { elem: "f16x2", vec: 4, activation: "none", bias: true, residual: true, threads: 8 },
    { elem: "f32", vec: 4, activation: "mish", bias: true, residual: true, threads: 16 },
    { elem: "f16", vec: 1, activation: "none", bias: false, residual: true, threads: 16 },
    { elem: "f16x2", vec: 1, activation: "leakyRelu", bias: true, residual: false, threads: 16 },
    { elem: "f32", vec: 4, activation: "elu", bias: true, residual: false, threads: 16 },
  ] as MatmulConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(constants), params)}
${tileMemory(constants.threads)}

${openWeight("weight", constants.elem)}
${activate(constants.activation)}

fn x4(row: u32, k4: u32) -> vec4f {
  if (row >= params.rows || k4 >= params.stride4) { return vec4f(); }
#if ${constants.vec === 4}
  return x[row * params.stride4 + k4];
#else
  var v = vec4f();
  for (var i = 0u; i < 4u; i++) {
    let k = 4u * k4 + i;
    if (k < params.inner) { v[i] = x[row * params.inner + k]; }
  }
  return v;
#endif
}

@compute @workgroup_size(THREADS, THREADS)
fn matmul(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u,
          @builtin(local_invocation_index) lane: u32) {
  let firstRow = group.y * TILE;
  let firstCol = group.x * TILE;
  var sums: array<vec4f, 4>;
  for (var k0 = 0u; k0 < params.stride4; k0 += STEP) {
    for (var i = lane; i < TILE * STEP; i += THREADS * THREADS) {
      let k4 = k0 + i % STEP;
      let at = i % STEP * PITCH + i / STEP;
      xTile[at] = x4(firstRow + i / STEP, k4);
      let col = firstCol + i / STEP;
      var w = vec4f();
      if (col < params.cols && k4 < params.stride4) { w = weight4(col * params.stride4 + k4); }
      wTile[at] = w;
    }
    ${multiplyTile}
  }
  for (var r = 0u; r < 4u; r++) {
    let row = firstRow + local.y + r * THREADS;
    for (var c = 0u; c < 4u; c++) {
      let col = firstCol + local.x + c * THREADS;
      if (row >= params.rows || col >= params.cols) { continue; }
      var y = sums[r][c];
#if ${constants.bias}
      y += bias[col];
#endif
      y = activate(y);
#if ${constants.residual}
      y += residual[row * params.cols + col];
#endif
      out[row * params.cols + col] = y;
    }
  }
}`,
});
