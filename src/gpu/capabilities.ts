/**
 * What one device can do, read once when it opens. `src/ops/` chooses kernels and constants from this value alone.
 */
export interface Capabilities {
  readonly adapter: AdapterDescription;
  /** Native 16-bit floats in shaders; without it 16-bit weights are opened with `unpack2x16float`. */
  readonly f16: boolean;
  readonly subgroups: { readonly min: number; readonly max: number } | null;
  readonly timestamps: boolean;
  /** Largest storage binding in bytes; longer tables are bound in pieces. */
  readonly maxBinding: number;
  /** Largest buffer in bytes. */
  readonly maxBuffer: number;
}

export interface AdapterDescription {
  /** Short name a user can pass to `--adapter`. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** A CPU pretending to be a GPU. */
  readonly software: boolean;
}

/** Limits of the WebGPU standard that every device grants. */
export const DEFAULT_LIMITS = {
  maxStorageBufferBindingSize: 128 * 1024 * 1024,
  maxBufferSize: 256 * 1024 * 1024,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16 * 1024,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
} as const;

/** Reads the capabilities of an open device. `software` is known to the platform, which chose the driver. */
export function readCapabilities(device: GPUDevice, adapter: AdapterDescription, info: GPUAdapterInfo): Capabilities {
  return {
    adapter,
    f16: device.features.has("shader-f16"),
    subgroups: device.features.has("subgroups")
      ? { min: info.subgroupMinSize ?? 4, max: info.subgroupMaxSize ?? 128 }
      : null,
    timestamps: device.features.has("timestamp-query"),
    maxBinding: device.limits.maxStorageBufferBindingSize,
    maxBuffer: device.limits.maxBufferSize,
  };
}
