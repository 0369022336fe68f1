/**
 * `WeightSource` over lazy tensors. Here, once for every kind of file, values are checked to be finite and to fit a half.
 */

import { mayBeHalf } from "../../weights/all.js";
import type { Component } from "../config.js";
import { FileError } from "../errors.js";
import { aligned, bytesOf, firstHalfNotFinite, firstNotFinite, HALF_MAX, halfToNumber, toHalf } from "./dtype.js";
import type { WeightDtype, WeightInfo, WeightSource } from "./model.js";
import { checkRange, type LazyTensor } from "./tensor.js";

export class TensorTable implements WeightSource {
  private readonly infos = new Map<string, WeightInfo>();

  constructor(
    readonly component: Component,
    /** For messages: file or folder. */
    private readonly label: string,
    private readonly tensors: ReadonlyMap<string, LazyTensor>,
    dtype: WeightDtype,
  ) {
    for (const [name, { shape, elements, type }] of tensors) {
      // What was written as halves loses nothing by staying so, whatever it is; a stage that wants floats gets the same values.
      const half = dtype === "f16" && (type === "F16" || mayBeHalf(component, name, shape));
      this.infos.set(name, { shape, elements, dtype: half ? "F16" : "F32" });
    }
  }

  names(): readonly string[] {
    return [...this.tensors.keys()];
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  info(name: string): WeightInfo {
    const info = this.infos.get(name);
    if (!info) throw this.missing(name);
    return info;
  }

  read(name: string): Promise<Float32Array> {
    return this.readSlice(name, 0, this.tensor(name).elements);
  }

  async readSlice(name: string, start: number, count: number): Promise<Float32Array> {
    const tensor = this.tensor(name);
    checkRange(tensor, start, count);
    const floats = await tensor.read(start, count);
    requireFinite(tensor, start, firstNotFinite(floats), (i) => floats[i] as number);
    return floats;
  }

  async readBytes(name: string, dtype: WeightDtype, start: number, count: number): Promise<Uint8Array> {
    const tensor = this.tensor(name);
    if (dtype === "f16" && tensor.type === "F16" && tensor.raw) {
      checkRange(tensor, start, count);
      const bytes = aligned(await tensor.raw(start, count), 4);
      const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
      requireFinite(tensor, start, firstHalfNotFinite(halves), (i) => halfToNumber(halves[i] as number));
      return bytes;
    }
    const floats = await this.readSlice(name, start, count);
    if (dtype === "f32") return bytesOf(floats);
    const halves = toHalf(floats);
    const tooLarge = firstHalfNotFinite(halves);
    if (tooLarge >= 0) {
      throw new FileError(
        `${tensor.label}: element ${start + tooLarge} is ${floats[tooLarge]}, a half holds at most ${HALF_MAX}; use f32`,
      );
    }
    return bytesOf(halves);
  }

  private tensor(name: string): LazyTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw this.missing(name);
    return tensor;
  }

  private missing(name: string): FileError {
    return new FileError(`${this.label}: there is no tensor "${name}"`);
  }
}

function requireFinite(tensor: LazyTensor, start: number, at: number, value: (index: number) => number): void {
  if (at < 0) return;
  throw new FileError(
    `${tensor.label}: element ${start + at} of [${tensor.shape.join(", ")}] is ${value(at)}; the checkpoint is damaged`,
  );
}
