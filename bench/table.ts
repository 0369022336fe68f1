/** The reports as tables for people. */
import { type EarsReport, PROMPT_SECONDS } from "./ears.js";
import type { KernelReport } from "./kernels.js";
import type { StageReport } from "./stages.js";

export function formatKernels({ adapter, ceilings, rows }: KernelReport): string {
  const { gbPerSecond, cachedGbPerSecond, gflopPerSecond, gloadPerSecond } = ceilings;
  const cells = rows.map(({ name, shape, ms, gbPerSecond, gflopPerSecond, share, boundBy }) => [
    name,
    shape,
    ms.toFixed(3),
    gbPerSecond.toFixed(1),
    gflopPerSecond.toFixed(1),
    `${(share * 100).toFixed(0)}% of ${boundBy}`,
  ]);
  const head = ["kernel", "shape", "ms", "GB/s", "GFLOP/s", "ceiling"];
  return [
    `${adapter.name} (${adapter.description})`,
    `ceilings: ${gbPerSecond.toFixed(1)} GB/s copied (${cachedGbPerSecond.toFixed(1)} in cache), ${gflopPerSecond.toFixed(1)} GFLOP/s multiplied and added, ${gloadPerSecond.toFixed(2)} · 10⁹ vec4/s read from cache`,
    ...aligned([head, ...cells]),
    "",
  ].join("\n");
}

export function formatEars({ adapter, model, onnxRuntime, rows, missing }: EarsReport): string {
  const cells = rows.map(({ net, by, ms, firstMs, ratio, agreement = "" }, i) => [
    rows[i - 1]?.net === net ? "" : net,
    by,
    ms.toFixed(0),
    firstMs.toFixed(0),
    ratio === undefined ? "" : ratio.toFixed(2),
    agreement,
  ]);
  const head = ["network", "by", "ms", "first run", "ours / theirs", "output"];
  return [
    `${adapter.name} (${adapter.description}), a recording of ${PROMPT_SECONDS} s, weights of ${model}${onnxRuntime ? `, onnxruntime-node ${onnxRuntime}` : ""}`,
    ...aligned([head, ...cells]),
    ...missing,
    "",
  ].join("\n");
}

/** The first two columns to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const pad = (cell: string, i: number) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0));
  return rows.map((row) => row.map(pad).join("  "));
}

export function formatStages(report: StageReport): string {
  const { text, dtype, audioSeconds, speechTokens, realTimeFactor, timeToFirstAudioMs, firstRun } = report;
  const width = Math.max(...report.rows.map(({ name }) => name.length));
  return [
    `${JSON.stringify(text)}, ${dtype} weights: ${audioSeconds.toFixed(2)} s of audio, ${speechTokens} speech tokens`,
    ...report.rows.map(
      ({ name, ms, per, msPer }) =>
        `${name.padEnd(width)}  ${ms.toFixed(1).padStart(9)} ms  ${msPer.toFixed(2).padStart(9)} per ${per}`,
    ),
    `real-time factor ${realTimeFactor.toFixed(2)}, first audio after ${(timeToFirstAudioMs / 1000).toFixed(2)} s; the first run took ${firstRun.toFixed(1)} times as long`,
    `${report.dispatchesPerToken} dispatches and ${report.submitsPerToken.toFixed(3)} submits per token, ${report.pipelines} pipelines, ${(report.gpuBytesPeak / 1e6).toFixed(0)} MB of GPU memory at most`,
    "",
  ].join("\n");
}
