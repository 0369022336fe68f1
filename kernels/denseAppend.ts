/**
 * The end of a layer of a densely connected block: its output, masked by what the frame's segment says, is appended to the channels
 * the layer saw.
 *
 *   out[t] = [ x[t],  local[t] · sigmoid(mask[⌊t / segment⌋]) ]
 *
 * One invocation per channel of a frame.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";

const WORKGROUP = 64;

const bindings = () =>
  ({
    x: { access: "read", elem: "f32", shape: ["frames", "width"] },
    local: { access: "read", elem: "f32", shape: ["frames", "growth"] },
    mask: { access: "read", elem: "f32", shape: ["segments", "growth"] },
    out: { access: "read_write", elem: "f32", shape: ["frames", "width+growth"] },
  }) as const;

/** segments is ceil(frames / segment). */
const params = { frames: "u32", width: "u32", growth: "u32", segments: "u32", segment: "u32" } as const;

export const denseAppend = defineKernel({
  name: "denseAppend",
  bindings,
  params,
  workgroups: ({ frames, width, growth }) => fold(Math.ceil((frames * (width + growth)) / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(bindings(), params)}
const WORKGROUP = ${WORKGROUP}u;

${flatGroup}

@compute @workgroup_size(WORKGROUP)
fn denseAppend(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let width = params.width + params.growth;
  let t = item / width;
  let c = item % width;
  if (t >= params.frames) { return; }
  if (c < params.width) {
    out[item] = x[t * params.width + c];
    return;
  }
  let g = c - params.width;
  let m = mask[t / params.segment * params.growth + g];
  out[item] = local[t * params.growth + g] / (1.0 + exp(-max(m, -80.0)));
}`,
});
