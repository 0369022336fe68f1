/** The result of a parity run: rows, counts, and their table. */
import type { AdapterReportData } from "../gpu/adapterReport.js";

export type Verdict = "pass" | "fail" | "skip";

/** One compared tensor or text field. */
export interface Row {
  readonly stage: string;
  readonly case: string;
  readonly tensor: string;
  /** ‖out − ref‖ / ‖ref‖; the share of differing values for what is compared exactly; null where nothing was compared. */
  readonly rel: number | null;
  readonly max_abs: number | null;
  /** Most that `rel` may be; null where something else decides, which `reason` then tells. */
  readonly limit: number | null;
  readonly verdict: Verdict;
  readonly reason?: string;
  /** Time the engine took for the case. */
  readonly ms: number;
}

export interface ParityReport {
  readonly adapter: AdapterReportData;
  readonly dtype: string;
  readonly rows: readonly Row[];
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function makeReport(adapter: AdapterReportData, dtype: string, rows: readonly Row[]): ParityReport {
  const count = (verdict: Verdict) => rows.filter((row) => row.verdict === verdict).length;
  return { adapter, dtype, rows, passed: count("pass"), failed: count("fail"), skipped: count("skip") };
}

/** A row of something that was not compared. */
export function skipped(stage: string, caseName: string, tensor: string, reason: string): Row {
  return { stage, case: caseName, tensor, rel: null, max_abs: null, limit: null, verdict: "skip", reason, ms: 0 };
}

const HEAD = ["stage", "case", "tensor", "rel", "max abs", "limit", "verdict", "ms", ""];
const WIDTHS = [16, 13, 11, 9, 9, 9, 8, 9, 0];

export function tableHead(): string {
  return aligned(HEAD);
}

export function tableRow(row: Row): string {
  const number = (value: number | null) => (value === null ? "-" : value === 0 ? "0" : value.toExponential(2));
  const ms = row.verdict === "skip" ? "-" : row.ms.toFixed(1);
  return aligned([
    row.stage,
    row.case,
    row.tensor,
    number(row.rel),
    number(row.max_abs),
    number(row.limit),
    row.verdict === "skip" ? `skipped: ${row.reason ?? "no reason"}` : row.verdict,
    ms,
    row.verdict === "skip" ? "" : (row.reason ?? ""),
  ]);
}

export function tableFoot({ passed, failed, skipped: notCompared }: ParityReport): string {
  return `${passed} passed, ${failed} failed, ${notCompared} skipped`;
}

function aligned(cells: readonly string[]): string {
  return cells
    .map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0))
    .join(" ")
    .trimEnd();
}
