/**
 * A graph made ready for one device: memory allocated, pipelines built, bind groups made. Running it makes nothing new, so it can
 * be replayed as often as one likes.
 */
import { DeviceError, InternalError } from "../errors.js";
import type { Device } from "./device.js";
import { type DispatchStep, type Graph, type Plan, plan } from "./graph.js";
import { packParams, variantName } from "./kernel.js";
import { byteLength, type ResidentTensor, type Tensor } from "./tensor.js";

type Command =
  | {
      readonly kind: "dispatch";
      readonly label: string;
      readonly pipeline: GPUComputePipeline;
      readonly group: GPUBindGroup;
      readonly size: readonly [number, number, number];
    }
  | {
      readonly kind: "copy";
      readonly from: GPUBuffer;
      readonly fromOffset: number;
      readonly to: GPUBuffer;
      readonly toOffset: number;
      readonly bytes: number;
    };

/** Uniform slots are 256 bytes apart, the alignment WebGPU asks for. */
const UNIFORM_SLOT = 256;

export class Program {
  private constructor(
    readonly label: string,
    private readonly device: Device,
    private readonly plan: Plan,
    private readonly slots: readonly GPUBuffer[],
    private readonly uniforms: GPUBuffer,
    private readonly commands: readonly Command[],
  ) {}

  /** Allocates the arena, builds what pipelines are missing and makes the bind groups. */
  static async compile(device: Device, graph: Graph): Promise<Program> {
    device.onGraph?.(graph);
    const arena = plan(graph);
    const dispatches = graph.steps.filter((step): step is DispatchStep => step.kind === "dispatch");
    const tooLarge = arena.slotBytes.find((bytes) => bytes > device.capabilities.maxBinding);
    if (tooLarge !== undefined) {
      throw new DeviceError(
        `${graph.label}: needs ${tooLarge} bytes in one binding, ${device.capabilities.adapter.name} allows ${device.capabilities.maxBinding}; use shorter text or prompt`,
      );
    }
    const pipelines = await Promise.all(dispatches.map((step) => device.pipeline(step.kernel, step.constants)));
    const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const owned: GPUBuffer[] = [];
    try {
      const slots = arena.slotBytes.map((bytes, index) => {
        const buffer = device.createBuffer(`${graph.label} slot ${index}`, bytes, storage);
        owned.push(buffer);
        return buffer;
      });
      const uniforms = device.createBuffer(
        `${graph.label} params`,
        Math.max(1, dispatches.length) * UNIFORM_SLOT,
        GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
      );
      owned.push(uniforms);
      const uniformBytes = new Uint8Array(uniforms.size);
      let next = 0;
      const commands = graph.steps.map((step): Command => {
        if (step.kind === "copy") {
          const { from, fromOffset, to, toOffset, bytes } = step;
          return {
            kind: "copy",
            from: bufferOf(from, arena, slots),
            fromOffset,
            to: bufferOf(to, arena, slots),
            toOffset,
            bytes,
          };
        }
        const slot = next++;
        const built = pipelines[slot];
        if (!built) throw new InternalError(`${graph.label}: step ${slot} has no pipeline`);
        const names = Object.keys(step.kernel.bindings(step.constants) as object);
        const entries: GPUBindGroupEntry[] = names.map((name, binding) => {
          const tensor = step.tensors[name] as Tensor;
          return {
            binding,
            resource: { buffer: bufferOf(tensor, arena, slots), size: Math.max(4, byteLength(tensor)) },
          };
        });
        const params = packParams(step.kernel.params, step.params as never);
        if (params.byteLength > 0) {
          uniformBytes.set(new Uint8Array(params), slot * UNIFORM_SLOT);
          const resource = { buffer: uniforms, offset: slot * UNIFORM_SLOT, size: params.byteLength };
          entries.push({ binding: names.length, resource });
        }
        const label = variantName(step.kernel, step.constants);
        const group = device.gpu.createBindGroup({ label: `${graph.label}: ${label}`, layout: built.layout, entries });
        return { kind: "dispatch", label, pipeline: built.pipeline, group, size: step.workgroups };
      });
      device.gpu.queue.writeBuffer(uniforms, 0, uniformBytes);
      device.check();
      return new Program(graph.label, device, arena, slots, uniforms, commands);
    } catch (error) {
      device.release(...owned);
      throw error;
    }
  }

  get dispatches(): number {
    return this.commands.reduce((count, command) => count + (command.kind === "dispatch" ? 1 : 0), 0);
  }

  /** Records every step. Dispatches that follow one another share a compute pass. */
  encode(encoder: GPUCommandEncoder): void {
    if (this.device.idle) return;
    let pass: GPUComputePassEncoder | undefined;
    for (const command of this.commands) {
      if (command.kind === "dispatch") {
        pass ??= encoder.beginComputePass({ label: this.label });
        pass.setPipeline(command.pipeline);
        pass.setBindGroup(0, command.group);
        pass.dispatchWorkgroups(...command.size);
      } else {
        pass?.end();
        pass = undefined;
        encoder.copyBufferToBuffer(command.from, command.fromOffset, command.to, command.toOffset, command.bytes);
      }
    }
    pass?.end();
  }

  /** Records and submits all steps at once. Errors surface at the next read. */
  run(): void {
    this.device.check();
    const encoder = this.device.gpu.createCommandEncoder({ label: this.label });
    this.encode(encoder);
    this.device.gpu.queue.submit([encoder.finish()]);
  }

  /** The memory of a temporary that the graph kept, or of a resident tensor. */
  resident(tensor: Tensor): ResidentTensor {
    return { ...tensor, buffer: bufferOf(tensor, this.plan, this.slots) };
  }

  /** Reads a kept temporary or a resident tensor as f32. */
  read(tensor: Tensor): Promise<Float32Array> {
    return this.device.read(this.resident(tensor));
  }

  destroy(): void {
    this.device.release(...this.slots, this.uniforms);
  }
}

function bufferOf(tensor: Tensor, arena: Plan, slots: readonly GPUBuffer[]): GPUBuffer {
  const buffer = tensor.buffer ?? slots[arena.slotOf.get(tensor.label) ?? -1];
  if (!buffer) throw new InternalError(`${tensor.label} is used by no step, so it has no memory`);
  return buffer;
}
