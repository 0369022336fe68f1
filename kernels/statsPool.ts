/**
 * Statistics pooling: mean and standard deviation of every channel over the frames, means first. The deviation is the unbiased one,
 * divided by frames − 1; of a single frame it is 0.
 *
 *   out[c] = mean[c]        out[width + c] = sqrt( Σ_t (x[t, c] − mean[c])² / (frames − 1) )
 *
 * A workgroup takes 16 channels; `lanes` threads share the frames of each.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import { channelSum, POOL_WIDTH, type PoolConstants } from "./poolFragments.js";

const bindings = () =>
  ({
    x: { access: "read", elem: "f32", shape: ["frames", "width"] },
    out: { access: "read_write", elem: "f32", shape: ["2*width"] },
  }) as const;

const params = { frames: "u32", width: "u32" } as const;

export const statsPool = defineKernel({
  name: "statsPool",
  bindings,
  params,
  workgroups: ({ width }) => [Math.ceil(width / POOL_WIDTH), 1, 1],
  variants: [{ lanes: 16 }, { lanes: 1 }] as PoolConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(), params)}
${channelSum(constants)}
@compute @workgroup_size(WIDTH, LANES)
fn statsPool(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let c = group.x * WIDTH + local.x;
  let live = c < params.width;
  var sum = 0.0;
  for (var t = local.y; live && t < params.frames; t += LANES) { sum += x[t * params.width + c]; }
  let mean = channelSum(sum, local) / f32(params.frames);
  var squares = 0.0;
  for (var t = local.y; live && t < params.frames; t += LANES) {
    let d = x[t * params.width + c] - mean;
    squares += d * d;
  }
  let variance = channelSum(squares, local) / f32(max(params.frames, 2u) - 1u);
  if (live && local.y == 0u) {
    out[c] = mean;
    out[params.width + c] = sqrt(variance);
  }
}`,
});
