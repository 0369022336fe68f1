import { InternalError } from "../errors.js";

/** Element types of GPU memory. f16 is storage only: kernels open it to f32 before they compute. */
export type DType = "f32" | "f16" | "u32" | "i32";

export function bytesPerElement(dtype: DType): number {
  return dtype === "f16" ? 2 : 4;
}

/**
 * A labelled piece of GPU memory with a logical shape, row-major, last dimension fastest.
 *
 * A *resident* tensor has its buffer from the start (weights, caches, inputs). A *temporary* is only a name until the graph
 * that made it is planned and gets its memory from the graph's arena.
 */
export interface Tensor {
  readonly label: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly buffer?: GPUBuffer;
}

export interface ResidentTensor extends Tensor {
  readonly buffer: GPUBuffer;
}

export function elements(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Bytes of a tensor, rounded up to the 4 that WebGPU copies and binds. */
export function byteLength(tensor: Pick<Tensor, "shape" | "dtype">): number {
  return Math.ceil((elements(tensor.shape) * bytesPerElement(tensor.dtype)) / 4) * 4;
}

/** One dimension of a tensor; an error where the tensor has fewer. */
export function dim(tensor: Tensor, axis: number): number {
  const size = tensor.shape.at(axis);
  if (size === undefined) {
    throw new InternalError(`${tensor.label}: no axis ${axis} in shape [${tensor.shape.join(", ")}]`);
  }
  return size;
}

/** The same memory under another shape of as many elements. */
export function reshape<T extends Tensor>(tensor: T, shape: readonly number[]): T {
  if (elements(shape) !== elements(tensor.shape)) {
    throw new InternalError(`${tensor.label}: cannot view [${tensor.shape.join(", ")}] as [${shape.join(", ")}]`);
  }
  return { ...tensor, shape };
}
