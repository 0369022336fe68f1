/** One case per kernel and shape that the 0.5B release runs, at the lengths of a typical sentence. */
import { type MatmulConstants, matmul } from "../kernels/matmul.js";
import { type MatvecConstants, matvec } from "../kernels/matvec.js";
import type { Capabilities } from "../src/gpu/capabilities.js";
import type { Case } from "./harness.js";
import { estimator, flow, lm } from "./release.js";

/** Mel frames of the sentence (6 s) and LM positions of its prompt. */
const FRAMES = 300;
const PROMPT = 64;

export function kernelCases({ f16 }: Capabilities): Case[] {
  const elem = f16 ? "f16" : "f16x2";
  const qkv = (lm.heads + 2 * lm.kvHeads) * lm.headDim;
  const vec = (what: string, inner: number, cols: number, more: Partial<MatvecConstants>): Case =>
    matvecCase(`matvec ${what}`, inner, cols, {
      elem,
      vec: 4,
      norm: false,
      bias: false,
      epilogue: "plain",
      workgroup: 64,
      ...more,
    });
  const mat = (what: string, rows: number, inner: number, cols: number, more: Partial<MatmulConstants> = {}): Case =>
    matmulCase(`matmul ${what}`, rows, inner, cols, {
      elem,
      vec: 4,
      activation: "none",
      bias: false,
      residual: false,
      threads: 8,
      ...more,
    });
  return [
    vec("lm qkv", lm.width, qkv, { norm: true, bias: true }),
    vec("lm o", lm.heads * lm.headDim, lm.width, { epilogue: "residual" }),
    vec("lm gate+up", lm.width, lm.ffn, { norm: true, epilogue: "swiglu" }),
    vec("lm down", lm.ffn, lm.width, { epilogue: "residual" }),
    vec("lm head", lm.width, lm.speechRows, { norm: true, bias: true }),
    mat("lm prefill qkv", PROMPT, lm.width, qkv, { bias: true }),
    mat("lm prefill gate+up", PROMPT, lm.width, 2 * lm.ffn),
    mat("flow encoder ffn", FRAMES, flow.width, flow.ffn, { bias: true, activation: "silu" }),
    mat("flow estimator qkv", 2 * FRAMES, estimator.channels, 3 * estimator.heads * estimator.headDim),
    mat("flow estimator ffn", 2 * FRAMES, estimator.channels, estimator.ffn, { bias: true, activation: "gelu" }),
    mat("flow estimator ffn, tile 64", 2 * FRAMES, estimator.channels, estimator.ffn, {
      bias: true,
      activation: "gelu",
      threads: 16,
    }),
  ];
}

function matvecCase(name: string, inner: number, cols: number, constants: MatvecConstants): Case {
  const rows = constants.epilogue === "swiglu" ? 2 * cols : cols;
  const stride4 = Math.ceil(inner / 4);
  return {
    name,
    kernel: matvec,
    constants,
    params: { inner, cols, stride4, eps: 1e-6 },
    shapes: {
      x: [inner],
      weight: [rows, stride4, 4],
      out: [cols],
      normWeight: [inner],
      bias: [rows],
      residual: [cols],
    },
    flop: 2 * rows * inner,
  };
}

function matmulCase(name: string, rows: number, inner: number, cols: number, constants: MatmulConstants): Case {
  const stride4 = Math.ceil(inner / 4);
  return {
    name,
    kernel: matmul,
    constants,
    params: { rows, inner, cols, stride4 },
    shapes: { x: [rows, inner], weight: [cols, stride4, 4], out: [rows, cols], bias: [cols], residual: [rows, cols] },
    flop: 2 * rows * inner * cols,
  };
}
