/** What a dispatch costs at least: operations, reads, bytes. */

type Numbers = Readonly<Record<string, number>>;
type Cost = (params: Numbers, constants: Readonly<Record<string, unknown>>) => number;

const of = (params: Numbers, ...names: readonly string[]): number =>
  names.reduce((product, name) => product * (params[name] ?? 1), 1);

/** Queries × keys × heads × width, for scores and for values; relative positions score once more. The mask here is full. */
const attention: Cost = (p, { headDim, relative }) =>
  (relative ? 6 : 4) * of(p, "batch", "heads", "frames", "frames") * Number(headDim);

const rowProduct: Cost = (p, { epilogue }) => (epilogue === "swiglu" ? 4 : 2) * of(p, "inner", "cols");

const convolution: Cost = (p) => 2 * of(p, "batch", "framesOut", "channelsIn", "channelsOut", "taps");

const transposed: Cost = (p) => 2 * of(p, "framesIn", "channelsIn", "channelsOut", "taps");

const COSTS: Readonly<Record<string, Cost>> = {
  matmul: (p) => 2 * of(p, "rows", "inner", "cols"),
  matvec: rowProduct,
  matvecDirect: rowProduct,
  conv1d: convolution,
  conv1dDirect: convolution,
  convTranspose1d: transposed,
  convTranspose1dDirect: transposed,
  chunkAttention: attention,
  chunkAttentionDirect: attention,
  fsmn: (p) => 2 * of(p, "frames", "width", "taps"),
  istft: (p) => 2 * of(p, "steps", "columns", "overlap"),
};

/** Floating-point operations, a multiply-add counting two. Kernels not named above move bytes and little else. */
export function flopOf(kernel: string, params: Numbers, constants: Readonly<Record<string, unknown>>): number {
  return COSTS[kernel]?.(params, constants) ?? 0;
}

/** Vec4s read per operation by kernels that take every operand from a buffer, 4 rows × 4 columns at a time, none from workgroup memory. */
const LOADS_PER_FLOP: Readonly<Record<string, (constants: Readonly<Record<string, unknown>>) => number>> = {
  conv1dDirect: () => 8 / 128,
  convTranspose1dDirect: () => 8 / 128,
  // Per vec4 of a head: queries and keys (and two biases and seven positions), then values, for 4 × 4 pairs.
  chunkAttentionDirect: ({ relative }) => (relative ? (8 + 2 + 7 + 4) / 384 : (8 + 4) / 256),
};

/** Vec4s read from buffers; 0 for a kernel that stages its operands, or whose bytes say it all. */
export function loadsOf(kernel: string, flop: number, constants: Readonly<Record<string, unknown>>): number {
  return flop * (LOADS_PER_FLOP[kernel]?.(constants) ?? 0);
}

/** Bytes that must move, where that is not every binding once: a gather reads some rows of a large table. */
export function bytesOf(kernel: string, params: Numbers): number | undefined {
  return kernel === "embed" ? 6 * of(params, "count", "width") : undefined;
}
