/**
 * What the estimator reads: the channels of x, mu, speaker and condition side by side, once with and once without conditions.
 *
 *   out[0, t] = [x[t], mu[t], speaker, condition[t]]        out[1, t] = [x[t], 0, 0, 0]
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

const WORKGROUP = 64;

const bindings = () =>
  ({
    x: { access: "read", elem: "f32", shape: ["frames", "bins"] },
    mu: { access: "read", elem: "f32", shape: ["frames", "bins"] },
    speaker: { access: "read", elem: "f32", shape: ["bins"] },
    condition: { access: "read", elem: "f32", shape: ["frames", "bins"] },
    out: { access: "read_write", elem: "f32", shape: [2, "frames", "4*bins"] },
  }) as const;

const params = { frames: "u32", bins: "u32" } as const;

export const estimatorInput = defineKernel({
  name: "estimatorInput",
  bindings,
  params,
  workgroups: ({ frames, bins }) => fold(Math.ceil((8 * frames * bins) / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(bindings(), params)}
const WORKGROUP = ${WORKGROUP}u;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn estimatorInput(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let width = 4u * params.bins;
  let row = item / width;
  if (row >= 2u * params.frames) { return; }
  let conditioned = row < params.frames;
  let t = select(row - params.frames, row, conditioned);
  let part = item % width / params.bins;
  let bin = item % params.bins;
  var y = 0.0;
  if (part == 0u) { y = x[t * params.bins + bin]; }
  else if (conditioned) {
    switch part {
      case 1u: { y = mu[t * params.bins + bin]; }
      case 2u: { y = speaker[bin]; }
      default: { y = condition[t * params.bins + bin]; }
    }
  }
  out[item] = y;
}`,
});
