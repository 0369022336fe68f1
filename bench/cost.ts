/** Floating-point operations of a dispatch, a multiply-add counting two. Kernels not named here move bytes and little else. */

type Numbers = Readonly<Record<string, number>>;
type Cost = (params: Numbers, constants: Readonly<Record<string, unknown>>) => number;

const of = (params: Numbers, ...names: readonly string[]): number =>
  names.reduce((product, name) => product * (params[name] ?? 1), 1);

/** Queries × keys × heads × width, for scores and for values; relative positions score once more. The mask here is full. */
const attention: Cost = (p, { headDim, relative }) =>
  (relative ? 6 : 4) * of(p, "batch", "heads", "frames", "frames") * Number(headDim);

const convolution: Cost = (p) => 2 * of(p, "batch", "framesOut", "channelsIn", "channelsOut", "taps");

const transposed: Cost = (p) => 2 * of(p, "framesIn", "channelsIn", "channelsOut", "taps");

const COSTS: Readonly<Record<string, Cost>> = {
  matmul: (p) => 2 * of(p, "rows", "inner", "cols"),
  matvec: (p, { epilogue }) => (epilogue === "swiglu" ? 4 : 2) * of(p, "inner", "cols"),
  conv1d: convolution,
  conv1dDirect: convolution,
  convTranspose1d: transposed,
  convTranspose1dDirect: transposed,
  chunkAttention: attention,
  chunkAttentionDirect: attention,
  istft: (p) => 2 * of(p, "steps", "columns", "overlap"),
};

export function flopOf(kernel: string, params: Numbers, constants: Readonly<Record<string, unknown>>): number {
  return COSTS[kernel]?.(params, constants) ?? 0;
}
