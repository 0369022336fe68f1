/**
 * What a frame is told of its surroundings in context-aware masking: the mean over all frames and the mean over its segment. Frames of
 * a segment are told the same, so there is one row for each.
 *
 *   out[s, c] = mean over t of x[t, c]  +  mean over t in segment s of x[t, c]
 *
 * Segment s is the frames from s · segment on, `segment` of them; the last one may be shorter and is divided by what it has. A
 * workgroup takes 16 channels; `lanes` threads share the frames of each.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import { channelSum, POOL_WIDTH, type PoolConstants } from "./poolFragments.js";

const bindings = () =>
  ({
    x: { access: "read", elem: "f32", shape: ["frames", "width"] },
    out: { access: "read_write", elem: "f32", shape: ["segments", "width"] },
  }) as const;

/** segments is ceil(frames / segment). */
const params = { frames: "u32", width: "u32", segments: "u32", segment: "u32" } as const;

export const segmentContext = defineKernel({
  name: "segmentContext",
  bindings,
  params,
  workgroups: ({ width }) => [Math.ceil(width / POOL_WIDTH), 1, 1],
  variants: [{ lanes: 16 }, { lanes: 1 }] as PoolConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(bindings(), params)}
${channelSum(constants)}
@compute @workgroup_size(WIDTH, LANES)
fn segmentContext(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let c = group.x * WIDTH + local.x;
  let live = c < params.width;
  let writes = live && local.y == 0u;
  var total = 0.0;
  for (var s = 0u; s < params.segments; s++) {
    let first = s * params.segment;
    let end = min(first + params.segment, params.frames);
    var sum = 0.0;
    for (var t = first + local.y; live && t < end; t += LANES) { sum += x[t * params.width + c]; }
    let whole = channelSum(sum, local);
    total += whole;
    if (writes) { out[s * params.width + c] = whole / f32(end - first); }
  }
  let mean = total / f32(params.frames);
  for (var s = 0u; writes && s < params.segments; s++) { out[s * params.width + c] += mean; }
}`,
});
