/**
 * How a dispatch is timed: it is repeated inside one submit until the submit takes a few milliseconds, the submit is repeated until
 * the time is up, and the median counts. Host clock after the queue is idle: software adapters have no other, and hardware agrees
 * once the submit is long enough. tinybench does the loop and the statistics.
 */
import { Bench } from "tinybench";
import type { Device } from "../src/gpu/device.js";
import { Graph } from "../src/gpu/graph.js";
import type { AnyKernel, Bindings, Constants } from "../src/gpu/kernel.js";
import { Program } from "../src/gpu/program.js";
import { byteLength, elements, type ResidentTensor } from "../src/gpu/tensor.js";

/** One dispatch to time: a kernel's constants and params, and the shape of every binding. */
export interface Case {
  readonly name: string;
  readonly kernel: AnyKernel;
  readonly constants: Constants;
  readonly params: Readonly<Record<string, number>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** Contents where zeros will not do (ids, positions). */
  readonly data?: Readonly<Record<string, Uint32Array | Int32Array | Float32Array>>;
  /** Floating-point operations, a multiply-add counting two. */
  readonly flop: number;
  /** Vec4s read from buffers, where every operand comes from one; default none. */
  readonly loads?: number;
  /** Bytes that must move at least; default: every binding once. */
  readonly bytes?: number;
}

export interface Timing {
  readonly ms: number;
  readonly gbPerSecond: number;
  readonly gflopPerSecond: number;
  readonly gloadPerSecond: number;
  /** Bytes of all bindings. */
  readonly workingSet: number;
  readonly samples: number;
}

/** Times one case. Operands hold small values, never denormals, which some CPUs compute slowly. */
export async function time(
  device: Device,
  { kernel, constants, params, shapes, data, flop, loads = 0, bytes }: Case,
  seconds: number,
): Promise<Timing> {
  const bindings: Bindings = kernel.bindings(constants);
  const tensors: Record<string, ResidentTensor> = {};
  let moved = 0;
  for (const [name, { elem }] of Object.entries(bindings)) {
    const shape = shapes[name];
    if (!shape) throw new Error(`bench of ${kernel.name}: no shape for ${name}`);
    const dtype = elem === "f16x2" ? "f16" : elem;
    const tensor = device.tensor(name, shape, dtype);
    const given = data?.[name];
    if (given) device.write(tensor, given);
    else if (dtype === "f32") device.write(tensor, new Float32Array(elements(shape)).fill(0.01));
    else if (dtype === "f16") device.write(tensor, new Uint16Array(elements(shape)).fill(0x2100)); // about 0.01
    tensors[name] = tensor;
    moved += byteLength(tensor);
  }
  const graph = new Graph(kernel.name, device.capabilities);
  graph.add(kernel, constants, params, tensors);
  const program = await Program.compile(device, graph);
  const submit = async (repeats: number): Promise<void> => {
    const encoder = device.gpu.createCommandEncoder();
    for (let i = 0; i < repeats; i++) program.encode(encoder);
    device.gpu.queue.submit([encoder.finish()]);
    await device.gpu.queue.onSubmittedWorkDone();
    device.check();
  };
  try {
    await submit(1);
    const started = performance.now();
    await submit(1);
    const repeats = Math.min(1000, Math.max(1, Math.ceil(10 / Math.max(0.01, performance.now() - started))));
    const bench = new Bench({ time: seconds * 1000, iterations: 3, warmup: false });
    bench.add(kernel.name, () => submit(repeats));
    const [task] = await bench.run();
    const result = task?.result;
    if (!result || !("latency" in result)) throw new Error(`bench of ${kernel.name} did not finish`);
    const ms = result.latency.p50 / repeats;
    return {
      ms,
      gbPerSecond: (bytes ?? moved) / ms / 1e6,
      gflopPerSecond: flop / ms / 1e6,
      gloadPerSecond: loads / ms / 1e6,
      workingSet: moved,
      samples: result.latency.samplesCount,
    };
  } finally {
    program.destroy();
    device.release(...Object.values(tensors).map(({ buffer }) => buffer));
  }
}
