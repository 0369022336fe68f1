/**
 * The mask that `chunkAttention` applies, written out as 0 and 1 for whoever wants to see or test it: mask[query, key].
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel, flatGroup, fold } from "../src/gpu/kernel.js";
import { chunkMask } from "./attentionFragments.js";

const WORKGROUP = 64;

const bindings = () => ({ mask: { access: "read_write", elem: "u32", shape: ["frames", "frames"] } }) as const;

const params = { frames: "u32", chunk: "u32" } as const;

export const attentionMask = defineKernel({
  name: "attentionMask",
  bindings,
  params,
  workgroups: ({ frames }) => fold(Math.ceil((frames * frames) / WORKGROUP)),
  variants: [{}],
  wgsl: () => wgsl /* wgsl */`
${declarations(bindings(), params)}
const WORKGROUP = ${WORKGROUP}u;

${flatGroup}
${chunkMask}

@compute @workgroup_size(WORKGROUP)
fn attentionMask(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = flatGroup(group) * WORKGROUP + lane;
  let query = item / params.frames;
  if (query < params.frames) { mask[item] = select(0u, 1u, allowed(query, item % params.frames)); }
}`,
});
