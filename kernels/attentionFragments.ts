/**
 * What the attention kernels of the flow share: the mask, the bindings and how they are read.
 *
 * With chunk C, query i sees the keys before the end of its own chunk, ⌊i / C⌋ · C + C, and all before it. The paper's four masks
 * are this one number:
 *
 *   full: C ≥ T      full-causal: C = 1      chunk-M: C = M      chunk-2M: C = 2M
 */

export type AttentionConstants = {
  relative: boolean;
  headDim: number;
  /** 4 where `headDim` is a multiple of 4, else 1. */
  vec: 1 | 4;
};

/** WGSL: `keysOf(i)` is the number of keys that query i sees, `allowed(i, j)` the mask. Needs params `frames` and `chunk` ≥ 1. */
export const chunkMask = `fn keysOf(i: u32) -> u32 { return min(params.frames, (i / params.chunk + 1u) * params.chunk); }
fn allowed(i: u32, j: u32) -> bool { return j < keysOf(i); }`;

/** The params of a mask over `frames`; no chunk is full attention. */
export function maskParams(frames: number, chunk: number | undefined): { frames: number; chunk: number } {
  // A chunk longer than the sequence is the sequence: the product above must not overflow.
  return { frames, chunk: Math.max(1, Math.min(chunk ?? frames, frames)) };
}

export const attentionBindings = ({ relative, vec }: AttentionConstants) =>
  ({
    /** q, k, v of all heads, one after the other. */
    qkv: { access: "read", elem: "f32", vec, shape: ["batch", "frames", "3*heads*headDim"] },
    out: { access: "read_write", elem: "f32", vec, shape: ["batch", "frames", "heads*headDim"] },
    ...(relative
      ? ({
          positions: { access: "read", elem: "f32", vec, shape: ["offsets", "heads*headDim"] },
          u: { access: "read", elem: "f32", vec, shape: ["heads*headDim"] },
          v: { access: "read", elem: "f32", vec, shape: ["heads*headDim"] },
        } as const)
      : {}),
  }) as const;

/** offsets is 2 · frames − 1. */
export const attentionParams = {
  batch: "u32",
  frames: "u32",
  heads: "u32",
  chunk: "u32",
  offsets: "u32",
  scale: "f32",
} as const;

/** WGSL: `<name>Read(start, d4)` is vec4 d4 of a head whose first channel is element `start`; channels past the head are 0. */
function headReader(name: string, { headDim, vec }: AttentionConstants): string {
  if (vec === 4) return `fn ${name}Read(start: u32, d4: u32) -> vec4f { return ${name}[start / 4u + d4]; }`;
  return `fn ${name}Read(start: u32, d4: u32) -> vec4f {
  let d = 4u * d4 + vec4u(0u, 1u, 2u, 3u);
  let at = start + min(d, vec4u(${headDim - 1}u));
  return select(vec4f(), vec4f(${name}[at.x], ${name}[at.y], ${name}[at.z], ${name}[at.w]), d < vec4u(${headDim}u));
}`;
}

/**
 * WGSL: `partStart(part, batch, frame, head)` is the first channel of a query (part 0), key (1) or value (2), `outStart` that of the
 * result, `positionStart(offset, head)` that of a row of `positions`; `qkvRead` and, if relative, `positionsRead`, `uRead` and `vRead`
 * read four channels from there, `outWrite` writes them.
 */
export function attentionReaders(constants: AttentionConstants): string {
  const { relative, headDim, vec } = constants;
  const names = ["qkv", ...(relative ? ["positions", "u", "v"] : [])];
  const write =
    vec === 4
      ? "out[start / 4u + d4] = y;"
      : `for (var i = 0u; i < 4u; i++) { if (4u * d4 + i < ${headDim}u) { out[start + 4u * d4 + i] = y[i]; } }`;
  return `${names.map((name) => headReader(name, constants)).join("\n")}
fn outWrite(start: u32, d4: u32, y: vec4f) { ${write} }
fn partStart(part: u32, batch: u32, frame: u32, head: u32) -> u32 {
  return (((batch * params.frames + frame) * 3u + part) * params.heads + head) * ${headDim}u;
}
fn outStart(batch: u32, frame: u32, head: u32) -> u32 {
  return ((batch * params.frames + frame) * params.heads + head) * ${headDim}u;
}
fn positionStart(offset: u32, head: u32) -> u32 { return (offset * params.heads + head) * ${headDim}u; }`;
}
