/**
 * The forward pass of the speech language model: a Qwen2 backbone (pre-norm, grouped-query attention with RoPE, SwiGLU) with a
 * text table below, a speech table beside it and a speech head on top. (CosyVoice 2, section 2.2; `Qwen2LM` upstream.)
 *
 * Letters: T rows, W width, H query heads, G key/value heads, D head width, F feed-forward, V speech vocabulary.
 */
import type { LmConfig } from "../config.js";
import { FileError } from "../errors.js";
import type { Graph } from "../gpu/graph.js";
import { dim, type ResidentTensor, type Tensor } from "../gpu/tensor.js";
import { cachedAttention, type Positions } from "../ops/cachedAttention.js";
import { embed } from "../ops/embed.js";
import { linear, linearVector } from "../ops/linear.js";
import { rmsNorm, swiglu } from "../ops/rmsNorm.js";
import type { Matrix, Table, Weights } from "../ops/weights.js";
import type { KvCache } from "./kvCache.js";

interface LayerWeights {
  readonly norm1: ResidentTensor; // [W]
  readonly qkv: Matrix; // [(H + 2G)·D, W]
  readonly qkvBias: ResidentTensor; // [(H + 2G)·D]
  readonly o: Matrix; // [W, H·D]
  readonly norm2: ResidentTensor; // [W]
  readonly gateUp: Matrix; // [2F, W]
  readonly down: Matrix; // [W, F]
}

export interface Qwen2Weights {
  /** Row 0 begins a sequence, row 1 stands between text and speech. */
  readonly marks: Table; // [2, W]
  readonly text: Table; // [text vocabulary, W]
  readonly speech: Table; // [V, W]
  readonly layers: readonly LayerWeights[];
  readonly norm: ResidentTensor; // [W]
  readonly head: Matrix; // [V, W]
  readonly headBias: ResidentTensor; // [V]
}

/** Uploads `llm.pt`. The backbone's own text head is not among what is read: the engine never predicts text. */
export async function loadQwen2(
  w: Weights,
  { layers, heads, kvHeads, headDim, width }: LmConfig,
): Promise<Qwen2Weights> {
  const backbone = "llm.model.model";
  const layer = async (i: number): Promise<LayerWeights> => {
    const name = (part: string) => `${backbone}.layers.${i}.${part}`;
    const attention = ["q", "k", "v"].map((part) => name(`self_attn.${part}_proj`));
    return {
      norm1: await w.vector(name("input_layernorm.weight")),
      qkv: await w.matrix(...attention.map((part) => `${part}.weight`)),
      qkvBias: await w.vector(...attention.map((part) => `${part}.bias`)),
      o: await w.matrix(name("self_attn.o_proj.weight")),
      norm2: await w.vector(name("post_attention_layernorm.weight")),
      gateUp: await w.matrix(name("mlp.gate_proj.weight"), name("mlp.up_proj.weight")),
      down: await w.matrix(name("mlp.down_proj.weight")),
    };
  };
  const loaded: LayerWeights[] = [];
  for (let i = 0; i < layers; i++) loaded.push(await layer(i));
  const qkvRows = (heads + 2 * kvHeads) * headDim;
  const found = loaded[0]?.qkv;
  if (found && (found.cols !== qkvRows || found.inner !== width)) {
    throw new FileError(
      `${backbone}.layers.0.self_attn: q, k, v are [${found.cols}, ${found.inner}], the configuration says [${qkvRows}, ${width}]; convert the checkpoint again`,
    );
  }
  return {
    marks: await w.table("llm_embedding.weight"),
    text: await w.table(`${backbone}.embed_tokens.weight`),
    speech: await w.table("speech_embedding.weight"),
    layers: loaded,
    norm: await w.vector(`${backbone}.norm.weight`),
    head: await w.matrix("llm_decoder.weight"),
    headBias: await w.vector("llm_decoder.bias"),
  };
}

/** (cos, sin) [positions, D/2, 2] of half-split RoPE: angle = position · theta^(−2j/D), rounded to f32 where upstream rounds it. */
export function ropeTable(positions: number, { headDim, ropeTheta }: LmConfig): Float32Array {
  const half = headDim / 2;
  const frequencies = Float32Array.from({ length: half }, (_, j) => 1 / Math.fround(ropeTheta ** ((2 * j) / headDim)));
  const table = new Float32Array(positions * headDim);
  for (let position = 0; position < positions; position++) {
    for (let j = 0; j < half; j++) {
      const angle = Math.fround(position * (frequencies[j] as number));
      table[(position * half + j) * 2] = Math.cos(angle);
      table[(position * half + j) * 2 + 1] = Math.sin(angle);
    }
  }
  return table;
}

/** Rows that stand side by side in the input sequence and come from one table. */
export interface Span {
  readonly table: Table;
  readonly rows: number;
}

/** Rows `first .. first + T` of a sequence made of spans; `ids` i32 [sequence] holds every row's id in its table. → [T, W] */
export function embedSpans(
  g: Graph,
  spans: readonly Span[],
  ids: Tensor,
  { first, rows, width }: { first: number; rows: number; width: number },
): Tensor {
  const x = g.temp("input", [rows, width]);
  let start = 0;
  for (const { table, rows: length } of spans) {
    const from = Math.max(first, start);
    const count = Math.min(first + rows, start + length) - from;
    if (count > 0) embed(g, table, ids, x, { firstId: from, count, outRow: from - first });
    start += length;
  }
  return x;
}

/** Many rows through all layers, appended to the cache. x [T, W] → [T, W], before the last norm. */
export function prefill(g: Graph, w: Qwen2Weights, c: LmConfig, x: Tensor, cache: KvCache, at: Positions): Tensor {
  let h = x;
  w.layers.forEach((layer, i) => {
    const qkv = linear(g, rmsNorm(g, h, layer.norm1, c.normEps), layer.qkv, { label: "qkv", bias: layer.qkvBias });
    const attended = cachedAttention(g, qkv, c, cache.layer(i), at); // [T, H·D]
    h = linear(g, attended, layer.o, { label: "o", residual: h });
    const gateUp = linear(g, rmsNorm(g, h, layer.norm2, c.normEps), layer.gateUp, { label: "gateUp" }); // [T, 2F]
    h = linear(g, swiglu(g, gateUp), layer.down, { label: "down", residual: h });
  });
  return h;
}

/** One row through all layers, five dispatches each. x [W] → [W], before the last norm. */
export function decode(g: Graph, w: Qwen2Weights, c: LmConfig, x: Tensor, cache: KvCache, at: Positions): Tensor {
  let h = x;
  w.layers.forEach((layer, i) => {
    const norm1 = { weight: layer.norm1, eps: c.normEps };
    const norm2 = { weight: layer.norm2, eps: c.normEps };
    const qkv = linearVector(g, h, layer.qkv, { label: "qkv", norm: norm1, bias: layer.qkvBias });
    const attended = cachedAttention(g, qkv, c, cache.layer(i), at); // [1, H·D]
    h = linearVector(g, attended, layer.o, { label: "o", residual: h });
    const gated = linearVector(g, h, layer.gateUp, { label: "gated", norm: norm2, swiglu: true }); // [F]
    h = linearVector(g, gated, layer.down, { label: "down", residual: h });
  });
  return h;
}

/** The distribution over the next speech id, from the last row of x [.., W] → logits [V]. */
export function head(g: Graph, w: Qwen2Weights, c: LmConfig, x: Tensor): Tensor {
  let last = x;
  const width = dim(w.norm, 0);
  const rows = x.shape.length > 1 ? dim(x, 0) : 1;
  if (rows > 1) {
    last = g.temp("last", [width]);
    g.copy(x, (rows - 1) * width * 4, last, 0, width * 4);
  }
  return linearVector(g, last, w.head, {
    label: "logits",
    norm: { weight: w.norm, eps: c.normEps },
    bias: w.headBias,
  });
}
