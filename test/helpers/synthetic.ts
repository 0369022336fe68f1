/**
 * Weights and inputs made from names alone, so that two programs can compare a network of full size without a checkpoint between
 * them: a hash of the name and the index gives every value.
 */

import type { WeightSource } from "../../src/checkpoint/model.js";
import type { Component } from "../../src/config.js";
import { FileError } from "../../src/errors.js";

/** `count` values in [−1, 1) of a name from index `start` on: a 32-bit FNV-1a of it, stepped by the golden ratio, finished as MurmurHash3 does. */
export function namedValues(name: string, count: number, start = 0): Float64Array {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let x = (hash + Math.imul(start + i, 0x9e3779b1)) | 0;
    x ^= x >>> 16;
    x = Math.imul(x, 0x85ebca6b);
    x ^= x >>> 13;
    x = Math.imul(x, 0xc2b2ae35);
    x ^= x >>> 16;
    out[i] = (x >>> 0) / 2 ** 31 - 1;
  }
  return out;
}

/** A tensor of a state dict, or a slice: gains and scales near 1, matrices scaled by their inputs, the rest small. */
export function namedTensor(name: string, shape: readonly number[], start = 0, length?: number): Float32Array {
  const all = shape.reduce((product, n) => product * n, 1);
  const count = length ?? all - start;
  const fanIn = all / (shape[0] ?? 1);
  const [base, scale] = /original0$|weight_g$/.test(name)
    ? [1, 0.1]
    : /running_var$|\.alpha$/.test(name)
      ? [1, 0.5]
      : shape.length >= 2
        ? [0, Math.sqrt(3 / fanIn)]
        : name.endsWith("weight")
          ? [1, 0.1]
          : [0, 0.1];
  return Float32Array.from(namedValues(name, count, start), (v) => base + scale * v);
}

/** A component whose tensors are `namedTensor`s; those that match `weightNormed` are made in two parts and folded. */
export function syntheticSource(
  component: Component,
  table: ReadonlyMap<string, readonly number[]>,
  weightNormed: RegExp,
): WeightSource {
  const shapeOf = (name: string): readonly number[] => {
    const shape = table.get(name);
    if (!shape) throw new FileError(`${component}: no tensor ${name}`);
    return shape;
  };
  const read = async (name: string): Promise<Float32Array> => {
    const shape = shapeOf(name);
    if (!weightNormed.test(name)) return namedTensor(name, shape);
    const prefix = name.replace(/\.weight$/, ".parametrizations.weight.original");
    const [rows = 0] = shape;
    const gain = namedTensor(`${prefix}0`, [rows, 1, 1]);
    const direction = namedTensor(`${prefix}1`, shape);
    const width = direction.length / rows;
    for (let r = 0; r < rows; r++) {
      const row = direction.subarray(r * width, (r + 1) * width);
      const norm = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
      for (let i = 0; i < width; i++) row[i] = ((gain[r] as number) * (row[i] as number)) / norm;
    }
    return direction;
  };
  return {
    component,
    names: () => [...table.keys()],
    has: (name) => table.has(name),
    info: (name) => {
      const shape = shapeOf(name);
      return { shape, dtype: "F32", elements: shape.reduce((product, n) => product * n, 1) };
    },
    read,
    readSlice: async (name, start, count) => (await read(name)).slice(start, start + count),
    readBytes: async (name, _dtype, start, count) =>
      new Uint8Array((await read(name)).slice(start, start + count).buffer),
  };
}
