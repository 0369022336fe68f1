/**
 * An open GPU device: buffers it counts, pipelines it keeps, errors it turns into one clear line.
 */
import { DeviceError, InternalError } from "../errors.js";
import { type AdapterDescription, type Capabilities, DEFAULT_LIMITS, readCapabilities } from "./capabilities.js";
import type { Graph } from "./graph.js";
import { type AnyKernel, type Bindings, type Constants, type ParamTypes, variantName } from "./kernel.js";
import { byteLength, bytesPerElement, type DType, elements, type ResidentTensor } from "./tensor.js";

/** An adapter the platform found, and how the user may call it. */
export interface FoundAdapter {
  readonly description: AdapterDescription;
  readonly adapter: GPUAdapter;
}

export interface DeviceOptions {
  /** Ask for no more than WebGPU's default limits and no optional feature, to test portability. */
  readonly defaultLimits?: boolean;
}

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

type TypedArray = Float32Array | Uint32Array | Int32Array | Uint16Array | Uint8Array;

export class Device {
  readonly capabilities: Capabilities;
  /** Called with every graph that is compiled; for benches, which time what the engine really dispatches. */
  onGraph: ((graph: Graph) => void) | undefined;
  /** Whether programs compute nothing, and leave zeros: for benches, which note what is dispatched and need not wait for it. */
  idle = false;
  private readonly pipelines = new Map<string, Promise<Pipeline>>();
  private readonly buffers = new Set<GPUBuffer>();
  private failure: DeviceError | undefined;
  private destroyed = false;
  private live = 0;
  private peak = 0;

  private constructor(
    readonly gpu: GPUDevice,
    capabilities: Capabilities,
  ) {
    this.capabilities = capabilities;
    gpu.onuncapturederror = (event) => {
      this.failure ??= new DeviceError(`${capabilities.adapter.name}: ${event.error.message}`);
    };
    void gpu.lost.then(({ reason, message }) => {
      if (this.destroyed) return;
      this.failure = new DeviceError(
        `${capabilities.adapter.name}: the GPU device was lost (${reason}${message ? `: ${message}` : ""}); load the model again`,
      );
    });
  }

  static async open({ adapter, description }: FoundAdapter, options: DeviceOptions = {}): Promise<Device> {
    const wanted: GPUFeatureName[] = ["shader-f16", "subgroups", "timestamp-query"];
    const requiredFeatures = options.defaultLimits ? [] : wanted.filter((feature) => adapter.features.has(feature));
    const requiredLimits: Record<string, number> = options.defaultLimits
      ? {}
      : {
          maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
          maxBufferSize: adapter.limits.maxBufferSize,
        };
    let gpu: GPUDevice;
    try {
      gpu = await adapter.requestDevice({ requiredFeatures, requiredLimits });
    } catch (error) {
      throw new DeviceError(`${description.name}: the adapter refused to open a device (${String(error)})`);
    }
    return new Device(gpu, readCapabilities(gpu, description, adapter.info));
  }

  /** Bytes of GPU memory now held, and the most ever held. */
  get memory(): { readonly live: number; readonly peak: number; readonly buffers: number } {
    return { live: this.live, peak: this.peak, buffers: this.buffers.size };
  }

  /** Pipelines built so far. */
  get pipelineCount(): number {
    return this.pipelines.size;
  }

  /** Throws the first error the GPU reported, or the loss of the device. */
  check(): void {
    if (this.destroyed)
      throw new DeviceError(`${this.capabilities.adapter.name}: the device was destroyed; load the model again`);
    if (this.failure) throw this.failure;
  }

  createBuffer(label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    this.check();
    if (size > this.capabilities.maxBuffer) {
      throw new DeviceError(
        `${label}: needs a buffer of ${size} bytes, ${this.capabilities.adapter.name} allows ${this.capabilities.maxBuffer}; use shorter text or prompt`,
      );
    }
    const buffer = this.gpu.createBuffer({ label, size: Math.max(4, size), usage });
    this.buffers.add(buffer);
    this.live += buffer.size;
    this.peak = Math.max(this.peak, this.live);
    return buffer;
  }

  /** Frees buffers of this device; those already freed are passed over. */
  release(...buffers: readonly GPUBuffer[]): void {
    for (const buffer of buffers) {
      if (!this.buffers.delete(buffer)) continue;
      this.live -= buffer.size;
      buffer.destroy();
    }
  }

  /** A tensor that stays until it is released; its memory starts as zeros. */
  tensor(label: string, shape: readonly number[], dtype: DType = "f32"): ResidentTensor {
    const size = byteLength({ shape, dtype });
    if (size > this.capabilities.maxBinding) {
      throw new DeviceError(
        `${label}: ${size} bytes do not fit one binding of ${this.capabilities.maxBinding} bytes on ${this.capabilities.adapter.name}`,
      );
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
    return { label, shape, dtype, buffer: this.createBuffer(label, size, usage) };
  }

  /** A resident tensor with the given content; f16 content is raw 16-bit words. */
  upload(label: string, shape: readonly number[], data: TypedArray, dtype: DType = "f32"): ResidentTensor {
    if (data.byteLength !== elements(shape) * bytesPerElement(dtype)) {
      throw new InternalError(`${label}: ${data.byteLength} bytes are not ${dtype} [${shape.join(", ")}]`);
    }
    const tensor = this.tensor(label, shape, dtype);
    this.write(tensor, data);
    return tensor;
  }

  /** Overwrites a tensor's memory from `byteOffset` (a multiple of 4) on. */
  write(tensor: ResidentTensor, data: TypedArray, byteOffset = 0): void {
    this.check();
    const whole = data.byteLength - (data.byteLength % 4);
    this.gpu.queue.writeBuffer(tensor.buffer, byteOffset, data.buffer, data.byteOffset, whole);
    if (whole < data.byteLength) {
      const tail = new Uint8Array(4);
      tail.set(new Uint8Array(data.buffer, data.byteOffset + whole, data.byteLength - whole));
      this.gpu.queue.writeBuffer(tensor.buffer, byteOffset + whole, tail);
    }
  }

  /** Reads bytes back after all submitted work. */
  async readBytes(buffer: GPUBuffer, byteOffset: number, bytes: number): Promise<ArrayBuffer> {
    this.check();
    if (bytes === 0) return new ArrayBuffer(0);
    const staging = this.createBuffer(
      `${buffer.label} read-back`,
      bytes,
      GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    );
    try {
      const encoder = this.gpu.createCommandEncoder({ label: `read ${buffer.label}` });
      encoder.copyBufferToBuffer(buffer, byteOffset, staging, 0, bytes);
      this.gpu.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ).catch((error: unknown) => {
        this.check();
        throw new DeviceError(`${buffer.label}: could not be read back (${String(error)})`);
      });
      this.check();
      return staging.getMappedRange().slice(0);
    } finally {
      this.release(staging);
    }
  }

  async read(tensor: ResidentTensor): Promise<Float32Array<ArrayBuffer>> {
    return new Float32Array(await this.readBytes(tensor.buffer, 0, byteLength(tensor)));
  }

  async readU32(tensor: ResidentTensor): Promise<Uint32Array> {
    return new Uint32Array(await this.readBytes(tensor.buffer, 0, byteLength(tensor)));
  }

  /** The pipeline of one variant, built once. A shader error names the kernel and shows the numbered WGSL. */
  pipeline(kernel: AnyKernel, constants: Constants): Promise<Pipeline> {
    const key = variantName(kernel, constants);
    const known = this.pipelines.get(key);
    if (known) return known;
    const building = this.buildPipeline(kernel, constants, key);
    this.pipelines.set(key, building);
    building.catch(() => this.pipelines.delete(key));
    return building;
  }

  private async buildPipeline(kernel: AnyKernel, constants: Constants, label: string): Promise<Pipeline> {
    this.check();
    const bindings: Bindings = kernel.bindings(constants);
    const params: ParamTypes = kernel.params;
    const rows = Object.values(bindings);
    if (rows.length > DEFAULT_LIMITS.maxStorageBuffersPerShaderStage) {
      throw new InternalError(`${label}: ${rows.length} storage bindings, WebGPU promises 8`);
    }
    const code = render(kernel, constants, label);
    const entries: GPUBindGroupLayoutEntry[] = rows.map(({ access }, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === "read" ? "read-only-storage" : "storage" },
    }));
    if (Object.keys(params).length > 0) {
      entries.push({ binding: rows.length, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } });
    }
    const gpu = this.gpu;
    gpu.pushErrorScope("validation");
    const module = gpu.createShaderModule({ label, code });
    const layout = gpu.createBindGroupLayout({ label, entries });
    const pipelineLayout = gpu.createPipelineLayout({ label, bindGroupLayouts: [layout] });
    const building = gpu
      .createComputePipelineAsync({ label, layout: pipelineLayout, compute: { module, entryPoint: kernel.name } })
      .catch((error: unknown) => error as Error);
    const scope = await gpu.popErrorScope();
    const pipeline = await building;
    if (scope || pipeline instanceof Error) {
      this.check();
      const reason = scope?.message ?? (pipeline as Error).message;
      throw new DeviceError(`kernel ${label} does not compile: ${reason}\n${numbered(code)}`);
    }
    return { pipeline, layout };
  }

  /** Frees every buffer and the device. Afterwards every call throws. */
  destroy(): void {
    if (this.destroyed) return;
    this.release(...this.buffers);
    this.pipelines.clear();
    this.destroyed = true;
    this.gpu.destroy();
  }
}

/** The WGSL of one variant; the preprocessor's own errors carry no name, so it is added here. */
export function render(kernel: AnyKernel, constants: Constants, label = variantName(kernel, constants)): string {
  try {
    return kernel.wgsl(constants);
  } catch (error) {
    throw new InternalError(`kernel ${label}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function numbered(code: string): string {
  return code
    .split("\n")
    .map((line, index) => `${String(index + 1).padStart(4)} ${line}`)
    .join("\n");
}
