/** Times every case of `cases.ts` and says how near it comes to the device's ceilings. */
import type { AdapterDescription } from "../src/gpu/capabilities.js";
import type { Device } from "../src/gpu/device.js";
import { kernelCases } from "./cases.js";
import { type Ceilings, measureCeilings } from "./ceilings.js";
import { type Timing, time } from "./harness.js";
import { release } from "./release.js";

export interface Row extends Timing {
  readonly name: string;
  /** Time the binding ceiling would allow over time taken: 1 is perfect. */
  readonly share: number;
  readonly boundBy: "bytes" | "flop";
}

export interface Report {
  readonly adapter: AdapterDescription;
  readonly ceilings: Ceilings;
  readonly rows: readonly Row[];
}

export interface BenchOptions {
  /** Rows whose name contains this. */
  readonly only: string;
  readonly seconds: number;
  readonly onRow?: (name: string) => void;
}

export async function benchKernels(device: Device, { only, seconds, onRow }: BenchOptions): Promise<Report> {
  onRow?.("ceilings");
  const ceilings = await measureCeilings(device, Math.max(1, seconds));
  const rows: Row[] = [];
  onRow?.("one utterance, to note its dispatches");
  const cases = await kernelCases(device, release);
  for (const row of cases.filter(({ name }) => name.includes(only))) {
    onRow?.(row.name);
    const timing = await time(device, row, seconds);
    const byBytes = timing.gbPerSecond / ceilings.gbPerSecond;
    const byFlop = timing.gflopPerSecond / ceilings.gflopPerSecond;
    rows.push({
      name: row.name,
      ...timing,
      share: Math.max(byBytes, byFlop),
      boundBy: byBytes >= byFlop ? "bytes" : "flop",
    });
  }
  return { adapter: device.capabilities.adapter, ceilings, rows };
}
