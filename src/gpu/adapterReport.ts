/** What is worth knowing about an adapter, as plain data: for `doctor`, and for the head of a parity report. */
import { DEFAULT_LIMITS } from "./capabilities.js";
import type { FoundAdapter } from "./device.js";

export interface AdapterReportData {
  /** What `--adapter` calls it. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** The driver's own description. */
  readonly driver: string;
  readonly software: boolean;
  readonly features: readonly string[];
  /** The limits that matter here, as the adapter offers them. */
  readonly limits: Readonly<Record<string, number>>;
}

export function reportAdapter({ adapter, description }: FoundAdapter): AdapterReportData {
  const { name, vendor, architecture, software } = description;
  const limits: Record<string, number> = {};
  for (const limit of Object.keys(DEFAULT_LIMITS) as (keyof typeof DEFAULT_LIMITS)[])
    limits[limit] = adapter.limits[limit];
  return {
    name,
    vendor,
    architecture,
    driver: description.description,
    software,
    features: [...adapter.features].sort(),
    limits,
  };
}
