/** Times every case of `cases.ts` and says how near it comes to the device's ceilings. */

import type { Config } from "../src/config.js";
import { checkCancelled, InputError } from "../src/errors.js";
import type { AdapterDescription } from "../src/gpu/capabilities.js";
import type { Device } from "../src/gpu/device.js";
import type { Bindings } from "../src/gpu/kernel.js";
import type { Progress } from "../src/speech.js";
import { kernelCases } from "./cases.js";
import { CACHED_BYTES, type Ceilings, measureCeilings } from "./ceilings.js";
import { type Case, type Timing, time } from "./harness.js";
import { release } from "./release.js";

/** The ceiling that a kernel comes nearest to. */
export type Bound = "bytes" | "flop" | "loads";

export interface Row extends Timing {
  readonly name: string;
  /** Time the binding ceiling would allow over time taken: 1 is perfect. */
  readonly share: number;
  readonly boundBy: Bound;
  /** Of what it writes, then of its weight if it has one. */
  readonly shape: string;
}

export interface KernelReport {
  readonly adapter: AdapterDescription;
  readonly ceilings: Ceilings;
  readonly rows: readonly Row[];
}

export interface BenchOptions {
  /** Rows whose name contains this. */
  readonly only: string;
  /** Time for each row. */
  readonly seconds: number;
  /** Whose shapes; default those of the release. */
  readonly config?: Config;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** @throws InputError when `only` leaves no row, CancelledError when the signal fires. */
export async function benchKernels(
  device: Device,
  { only, seconds, config = release, signal, onProgress }: BenchOptions,
): Promise<KernelReport> {
  onProgress?.({ what: "ceilings, and one utterance to note its dispatches", done: 0, total: 1 });
  const ceilings = await measureCeilings(device, Math.max(1, seconds));
  const all = await kernelCases(device, config);
  const cases = all.filter(({ name }) => name.includes(only));
  if (cases.length === 0) {
    const names = [...new Set(all.map(({ kernel }) => kernel.name))].join(", ");
    throw new InputError(`--only ${JSON.stringify(only)} matches no row; the kernels are ${names}`);
  }
  const rows: Row[] = [];
  for (const [done, row] of cases.entries()) {
    checkCancelled(signal, "the bench");
    onProgress?.({ what: row.name, done, total: cases.length });
    const timing = await time(device, row, seconds);
    rows.push({ name: row.name, shape: shapeOf(row), ...timing, ...nearest(timing, ceilings) });
  }
  return { adapter: device.capabilities.adapter, ceilings, rows };
}

function nearest(timing: Timing, ceilings: Ceilings): { readonly share: number; readonly boundBy: Bound } {
  const copied = timing.workingSet <= CACHED_BYTES ? ceilings.cachedGbPerSecond : ceilings.gbPerSecond;
  const shares: [Bound, number][] = [
    ["bytes", timing.gbPerSecond / copied],
    ["flop", timing.gflopPerSecond / ceilings.gflopPerSecond],
    ["loads", timing.gloadPerSecond / ceilings.gloadPerSecond],
  ];
  const [boundBy, share] = shares.reduce((best, next) => (next[1] > best[1] ? next : best));
  return { boundBy, share };
}

function shapeOf({ kernel, constants, shapes }: Case): string {
  const bindings: Bindings = kernel.bindings(constants);
  const written = Object.keys(bindings).find((name) => bindings[name]?.access === "read_write");
  const names = [written, Object.hasOwn(shapes, "weight") ? "weight" : undefined];
  return names.flatMap((name) => (name && shapes[name] ? [shapes[name].join("×")] : [])).join(" ← ");
}
