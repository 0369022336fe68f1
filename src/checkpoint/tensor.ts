/**
 * Tensors that are read when asked for: from a file, or computed from other such tensors.
 */
import { FileError } from "../errors.js";
import { BYTES_OF, type StoredType, toFloats } from "./dtype.js";
import type { RandomAccessFile } from "./source.js";

/** Dimensions a tensor of any known checkpoint has at most, with room. */
const MAX_DIMENSIONS = 8;

/** Elements read at a time where a whole tensor is not needed at once. */
export const SLICE = 1 << 20;

export interface LazyTensor {
  /** For messages: file and tensor. */
  readonly label: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** What the file holds; a computed tensor says "F32", unless its values are halves all the same. */
  readonly type: StoredType;
  /** `count` values from element `start`, row-major. */
  read(start: number, count: number): Promise<Float32Array>;
  /** The same as stored bytes; absent where the file does not hold them in this order. */
  readonly raw?: (start: number, count: number) => Promise<Uint8Array>;
}

/** Product of a shape from a file. @throws FileError for a shape no file can hold. */
export function elementsOf(shape: readonly unknown[], label: string): number {
  if (shape.length > MAX_DIMENSIONS)
    throw new FileError(`${label}: ${shape.length} dimensions, at most ${MAX_DIMENSIONS}`);
  let product = 1;
  for (const size of shape) {
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
      throw new FileError(
        `${label}: its shape holds ${typeof size === "number" ? size : typeof size}, which is not a size`,
      );
    }
    product *= size;
    if (!Number.isSafeInteger(product)) throw new FileError(`${label}: shape [${shape.join(", ")}] is too large`);
  }
  return product;
}

/** @throws FileError when the range leaves the tensor. */
export function checkRange(tensor: { label: string; elements: number }, start: number, count: number): void {
  if (
    !(Number.isSafeInteger(start) && Number.isSafeInteger(count) && start >= 0 && count >= 0) ||
    start + count > tensor.elements
  ) {
    throw new FileError(
      `${tensor.label}: elements ${start} .. ${start + count} were asked for, it has ${tensor.elements}`,
    );
  }
}

/**
 * A tensor that lies in a file in one piece.
 * @param offset first byte
 * @throws FileError when it does not fit the file.
 */
export function fileTensor(
  label: string,
  file: RandomAccessFile,
  at: { readonly offset: number; readonly shape: readonly number[]; readonly type: StoredType },
): LazyTensor {
  const { offset, shape, type } = at;
  const width = BYTES_OF[type];
  const elements = elementsOf(shape, label);
  if (!(offset >= 0) || offset + elements * width > file.size) {
    throw new FileError(
      `${label}: bytes ${offset} .. ${offset + elements * width} lie outside ${file.name} (${file.size} bytes)`,
    );
  }
  const raw = (start: number, count: number) => {
    checkRange({ label, elements }, start, count);
    return file.read(offset + start * width, count * width);
  };
  return { label, shape, elements, type, raw, read: async (start, count) => toFloats(await raw(start, count), type) };
}

/** The whole tensor. */
export function readAll(tensor: LazyTensor): Promise<Float32Array> {
  return tensor.read(0, tensor.elements);
}

/**
 * A tensor computed as a whole, kept only while it is being read: a slice that reaches the end drops it again, so walking a
 * checkpoint front to back holds one at a time.
 */
export function computedTensor(
  label: string,
  shape: readonly number[],
  compute: () => Promise<Float32Array>,
  type: "F32" | "F16" = "F32",
): LazyTensor {
  const elements = elementsOf(shape, label);
  let held: Promise<Float32Array> | undefined;
  const read = async (start: number, count: number) => {
    checkRange({ label, elements }, start, count);
    const whole = held ?? compute();
    held = start + count < elements ? whole : undefined;
    return (await whole).slice(start, start + count);
  };
  return { label, shape, elements, type, read };
}

/** [a, b] to [b, a]. ONNX keeps the weight of x·W as [in, out], the engine keeps [out, in]. */
export function transposed(tensor: LazyTensor): LazyTensor {
  const [rows, columns] = tensor.shape;
  if (tensor.shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new FileError(`${tensor.label}: shape [${tensor.shape.join(", ")}], expected a matrix`);
  }
  const compute = async () => {
    const source = await readAll(tensor);
    const out = new Float32Array(source.length);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) out[j * rows + i] = source[i * columns + j] as number;
    return out;
  };
  return computedTensor(tensor.label, [columns, rows], compute, tensor.type === "F16" ? "F16" : "F32");
}

/**
 * Weight norm folded away: w = g·v/‖v‖, the norm over every axis but the first (HiFT, `torch.nn.utils.weight_norm`, dim 0).
 * @param g [n, 1, ...]
 * @param v [n, ...]
 */
export function foldedWeightNorm(label: string, g: LazyTensor, v: LazyTensor): LazyTensor {
  const [n = 0] = v.shape;
  if (g.shape[0] !== n || g.elements !== n || v.shape.length < 2) {
    throw new FileError(
      `${label}: weight norm of v [${v.shape.join(", ")}] needs g [${n}, 1, ...], got [${g.shape.join(", ")}]`,
    );
  }
  return computedTensor(label, v.shape, async () => {
    const [gain, direction] = [await readAll(g), await readAll(v)];
    const row = v.elements / n;
    const out = new Float32Array(v.elements);
    for (let i = 0; i < n; i++) {
      let square = 0;
      for (let j = i * row; j < (i + 1) * row; j++) square += (direction[j] as number) ** 2;
      const scale = (gain[i] as number) / Math.sqrt(square);
      for (let j = i * row; j < (i + 1) * row; j++) out[j] = (direction[j] as number) * scale;
    }
    return out;
  });
}
