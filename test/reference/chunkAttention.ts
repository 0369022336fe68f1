export interface AttentionSizes {
  readonly batch: number;
  readonly frames: number;
  readonly heads: number;
  readonly headDim: number;
  readonly chunk: number;
  readonly scale: number;
}

/** Whether query i sees key j when attention is cut into chunks. */
export function allowed(i: number, j: number, frames: number, chunk: number): boolean {
  return j < frames && j < (Math.floor(i / chunk) + 1) * chunk;
}

/** Attention by its definition; `relative` adds the position term of the conformer. qkv [batch, frames, 3, heads, headDim]. */
export function chunkAttention(
  qkv: Float32Array,
  { batch, frames, heads, headDim, chunk, scale }: AttentionSizes,
  relative?: { positions: Float32Array; u: Float32Array; v: Float32Array },
): Float64Array {
  const out = new Float64Array(batch * frames * heads * headDim);
  const at = (b: number, t: number, part: number, h: number): number =>
    (((b * frames + t) * 3 + part) * heads + h) * headDim;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < frames; i++) {
        const q = at(b, i, 0, h);
        const scores: number[] = [];
        for (let j = 0; j < frames; j++) {
          if (!allowed(i, j, frames, chunk)) continue;
          let score = 0;
          for (let d = 0; d < headDim; d++) {
            const query = qkv[q + d] as number;
            const key = qkv[at(b, j, 1, h) + d] as number;
            if (!relative) {
              score += query * key;
              continue;
            }
            const bias = h * headDim + d;
            const position = relative.positions[(frames - 1 - i + j) * heads * headDim + bias] as number;
            score += (query + (relative.u[bias] as number)) * key + (query + (relative.v[bias] as number)) * position;
          }
          scores.push(score * scale);
        }
        const top = Math.max(...scores);
        const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
        scores.forEach((s, j) => {
          const weight = Math.exp(s - top) / total;
          for (let d = 0; d < headDim; d++) {
            const o = ((b * frames + i) * heads + h) * headDim + d;
            out[o] = (out[o] as number) + weight * (qkv[at(b, j, 2, h) + d] as number);
          }
        });
      }
    }
  }
  return out;
}
