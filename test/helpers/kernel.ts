/** Runs one kernel on given data: what every kernel test does. */

import { halfToNumber, numberToHalf } from "../../src/checkpoint/dtype.js";
import type { Device } from "../../src/gpu/device.js";
import { Graph } from "../../src/gpu/graph.js";
import type { AnyKernel, Bindings, Constants, Elem } from "../../src/gpu/kernel.js";
import { Program } from "../../src/gpu/program.js";
import { elements, type ResidentTensor, type Tensor } from "../../src/gpu/tensor.js";

/** Data of one binding: its shape, and values unless it is only written. */
export interface Operand {
  readonly shape: readonly number[];
  readonly data?: Float32Array | Uint32Array | Int32Array;
}

/** What a stored value becomes when it is kept in `elem`: f16 rounds. References must use the rounded value. */
export function asStored(elem: Elem, data: Float32Array): Float32Array {
  return elem === "f16" || elem === "f16x2" ? data.map((v) => halfToNumber(numberToHalf(v))) : data;
}

/** Whether the device can run a variant; native f16 needs the feature. */
export function runnable(device: Device, kernel: AnyKernel, constants: Constants): boolean {
  const bindings: Bindings = kernel.bindings(constants);
  return device.capabilities.f16 || Object.values(bindings).every(({ elem }) => elem !== "f16");
}

/** Runs one dispatch and returns every writable binding's content. Temporaries are filled with NaN first, so holes show. */
export async function runKernel(
  device: Device,
  kernel: AnyKernel,
  constants: Constants,
  params: Readonly<Record<string, number>>,
  operands: Readonly<Record<string, Operand>>,
): Promise<Record<string, Float32Array>> {
  const bindings: Bindings = kernel.bindings(constants);
  const tensors: Record<string, ResidentTensor> = {};
  try {
    for (const [name, { elem }] of Object.entries(bindings)) {
      const operand = operands[name];
      if (!operand) throw new Error(`${kernel.name}: the test gives no operand ${name}`);
      const count = elements(operand.shape);
      if (elem === "f16" || elem === "f16x2") {
        const halves = Uint16Array.from(operand.data ?? new Float32Array(count), (v) => numberToHalf(v));
        tensors[name] = device.upload(name, operand.shape, halves, "f16");
      } else {
        const empty = elem === "f32" ? new Float32Array(count).fill(Number.NaN) : new Uint32Array(count);
        tensors[name] = device.upload(name, operand.shape, operand.data ?? empty, elem);
      }
    }
    const graph = new Graph(kernel.name, device.capabilities);
    graph.add(kernel, constants, params, tensors as Readonly<Record<string, Tensor>>);
    const program = await Program.compile(device, graph);
    program.run();
    const results: Record<string, Float32Array> = {};
    for (const [name, { access }] of Object.entries(bindings)) {
      const tensor = tensors[name];
      if (access === "read_write" && tensor) results[name] = await device.read(tensor);
    }
    program.destroy();
    return results;
  } finally {
    device.release(...Object.values(tensors).map(({ buffer }) => buffer));
  }
}
