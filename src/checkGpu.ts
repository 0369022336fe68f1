/** What a GPU is, what the engine will do because of it, and whether it computes: `cosyvoice doctor`, and a page's own check. */
import { findAdapter } from "#platform";
import { checkCancelled } from "./errors.js";
import { type AdapterReportData, reportAdapter } from "./gpu/adapterReport.js";
import type { Capabilities } from "./gpu/capabilities.js";
import { Device } from "./gpu/device.js";
import { type SelfTestResult, selfTest } from "./selfTest.js";

export interface GpuCheckOptions {
  /** As in `load`. */
  readonly adapter?: string;
  readonly signal?: AbortSignal;
}

export interface GpuCheck {
  /** The adapter that `load` would take. */
  readonly adapter: AdapterReportData;
  /** What follows from its features and limits, in words: how 16-bit weights are read, which kernels are taken. */
  readonly choices: Readonly<Record<string, string>>;
  /** Products of matrices, with the kernels that the engine would take, against the same sums in double precision. */
  readonly tests: readonly SelfTestResult[];
  /** Whether every test passed. A driver that fails here makes noise of any model. */
  readonly passed: boolean;
}

/**
 * Opens a GPU, lets it compute for about a second, and frees it. No model is needed.
 * @throws DeviceError without a usable GPU, CancelledError when the signal fires
 */
export async function checkGpu({ adapter, signal }: GpuCheckOptions = {}): Promise<GpuCheck> {
  const found = await findAdapter(adapter);
  checkCancelled(signal, "the check of the GPU");
  const device = await Device.open(found);
  try {
    const tests = await selfTest(device, signal);
    return {
      adapter: reportAdapter(found),
      choices: choices(device.capabilities),
      tests,
      passed: tests.every(({ passed }) => passed),
    };
  } finally {
    device.destroy();
  }
}

function choices({ adapter, f16, maxBinding, maxBuffer }: Capabilities): Record<string, string> {
  return {
    "16-bit weights": f16 ? "read natively (shader-f16)" : "opened from pairs in 32 bits (no shader-f16)",
    "matrices, convolutions, attention": adapter.software
      ? "from registers, without workgroup memory: barriers are slow on a CPU"
      : "in tiles of workgroup memory",
    "tables larger than one binding": `bound in pieces of ${mebibytes(maxBinding)}`,
    "largest buffer": mebibytes(maxBuffer),
  };
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
