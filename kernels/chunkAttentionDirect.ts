/**
 * The attention of `chunkAttention` without workgroup memory, for adapters that are a CPU: their barriers cost more than reading
 * operands again from cache.
 *
 * A thread takes four queries of one head and walks the keys in fours, with a running maximum and sum per query. Threads of a workgroup
 * walk the same keys at the same time. What there is once per query is written out by the template, as arrays would be indexed memory;
 * the sums of values are such an array, since writing them out made compiling four times as slow and running no faster.
 */
import { wgsl } from "wgsl-preprocessor/wgsl-preprocessor.js";
import { declarations, defineKernel } from "../src/gpu/kernel.js";
import {
  type AttentionConstants,
  attentionBindings,
  attentionParams,
  attentionReaders,
  chunkMask,
} from "./attentionFragments.js";

/** Threads of a workgroup, and queries of each. */
const LANES = 8;
const QUERIES = 4;

const QUERY_NUMBERS = [0, 1, 2, 3] as const;

/** Lines of WGSL, one for every query. */
const eachQuery = (line: (query: number) => string): string => QUERY_NUMBERS.map(line).join("\n");

export const chunkAttentionDirect = defineKernel({
  name: "chunkAttentionDirect",
  bindings: attentionBindings,
  params: attentionParams,
  workgroups: ({ batch, frames, heads }) => [Math.ceil(frames / (LANES * QUERIES)), heads, batch],
  variants: [
    { relative: false, headDim: 64, vec: 4 },
    { relative: true, headDim: 20, vec: 4 },
    { relative: true, headDim: 7, vec: 1 },
  ] as AttentionConstants[],
  wgsl: (constants) => wgsl /* wgsl */`
${declarations(attentionBindings(constants), attentionParams)}
const LANES = ${LANES}u;
const QUERIES = ${QUERIES}u;
const HEAD_DIM = ${constants.headDim}u;
const WIDTH4 = ${Math.ceil(constants.headDim / 4)}u; // vec4s of a head
const HIDDEN = -1e30;

${chunkMask}
${attentionReaders(constants)}

fn dots(q: vec4f, k0: vec4f, k1: vec4f, k2: vec4f, k3: vec4f) -> vec4f {
  return vec4f(dot(q, k0), dot(q, k1), dot(q, k2), dot(q, k3));
}

@compute @workgroup_size(LANES)
fn chunkAttentionDirect(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let lastFrame = params.frames - 1u;
  let head = group.y;
  let batch = group.z;
  let firstQuery = (group.x * LANES + lane) * QUERIES;
  let keys = keysOf(min((group.x + 1u) * LANES * QUERIES - 1u, lastFrame));
  // Queries and keys past the end repeat the last one: such queries are not written, such keys are hidden by the mask.
${eachQuery((q) => `  let query${q} = min(firstQuery + ${q}u, lastFrame);`)}
${eachQuery((q) => `  let start${q} = partStart(0u, batch, query${q}, head);`)}
${eachQuery((q) => `  var highest${q} = HIDDEN;\n  var total${q} = 0.0;`)}
  var sums: array<vec4f, WIDTH4 * QUERIES>;
  for (var key = 0u; key < keys; key += 4u) {
    let numbers = vec4u(key, key + 1u, key + 2u, key + 3u);
    let at = min(numbers, vec4u(lastFrame));
    let keyStart = vec4u(partStart(1u, batch, at.x, head), partStart(1u, batch, at.y, head),
                         partStart(1u, batch, at.z, head), partStart(1u, batch, at.w, head));
${eachQuery((q) => `    var s${q} = vec4f();`)}
    for (var d4 = 0u; d4 < WIDTH4; d4++) {
      let k0 = qkvRead(keyStart.x, d4);
      let k1 = qkvRead(keyStart.y, d4);
      let k2 = qkvRead(keyStart.z, d4);
      let k3 = qkvRead(keyStart.w, d4);
#if ${constants.relative}
      let u4 = uRead(head * HEAD_DIM, d4);
      let v4 = vRead(head * HEAD_DIM, d4);
      // Key minus query runs over seven offsets.
${[0, 1, 2, 3, 4, 5, 6].map((n) => `      let p${n} = positionsRead(positionStart(offsetRow(firstQuery, key, ${n}), head), d4);`).join("\n")}
${eachQuery((q) => `      let q${q} = qkvRead(start${q}, d4);\n      s${q} += dots(q${q} + u4, k0, k1, k2, k3) + dots(q${q} + v4, p${3 - q}, p${4 - q}, p${5 - q}, p${6 - q});`)}
#else
${eachQuery((q) => `      s${q} += dots(qkvRead(start${q}, d4), k0, k1, k2, k3);`)}
#endif
    }
${eachQuery(
  (q) => `    let score${q} = select(vec4f(HIDDEN), params.scale * s${q}, numbers < vec4u(keysOf(query${q})));
    let top${q} = max(highest${q}, max(max(score${q}.x, score${q}.y), max(score${q}.z, score${q}.w)));
    let shrink${q} = exp(max(highest${q} - top${q}, -80.0));
    let w${q} = select(vec4f(), exp(max(score${q} - top${q}, vec4f(-80.0))), score${q} > vec4f(HIDDEN));
    highest${q} = top${q};
    total${q} = total${q} * shrink${q} + dot(w${q}, vec4f(1.0));`,
)}
    let valueStart = keyStart + params.heads * HEAD_DIM;
    for (var d4 = 0u; d4 < WIDTH4; d4++) {
      let v0 = qkvRead(valueStart.x, d4);
      let v1 = qkvRead(valueStart.y, d4);
      let v2 = qkvRead(valueStart.z, d4);
      let v3 = qkvRead(valueStart.w, d4);
${eachQuery((q) => `      sums[QUERIES * d4 + ${q}u] = shrink${q} * sums[QUERIES * d4 + ${q}u] + w${q}.x * v0 + w${q}.y * v1 + w${q}.z * v2 + w${q}.w * v3;`)}
    }
  }
${eachQuery(
  (q) => `  if (firstQuery + ${q}u <= lastFrame) {
    let to${q} = outStart(batch, query${q}, head);
    for (var d4 = 0u; d4 < WIDTH4; d4++) { outWrite(to${q}, d4, sums[QUERIES * d4 + ${q}u] / total${q}); }
  }`,
)}
}

#if ${constants.relative}
/** Row of the positions for number n of the seven offsets between keys key .. key + 3 and queries firstQuery .. firstQuery + 3. */
fn offsetRow(firstQuery: u32, key: u32, n: u32) -> u32 {
  let row = i32(params.frames + key + n) - i32(firstQuery + QUERIES);
  return u32(clamp(row, 0, i32(params.offsets) - 1));
}
#endif`,
});
