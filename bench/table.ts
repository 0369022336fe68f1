/** A report as a table for people. */
import type { Report } from "./kernels.js";

export function formatRows({ adapter, ceilings, rows }: Report): string {
  const width = Math.max(6, ...rows.map(({ name }) => name.length));
  const lines = [
    `${adapter.name} (${adapter.description})`,
    `ceilings: ${ceilings.gbPerSecond.toFixed(1)} GB/s copied, ${ceilings.gflopPerSecond.toFixed(1)} GFLOP/s multiplied and added`,
    `${"kernel".padEnd(width)}  ${"ms".padStart(9)}  ${"GB/s".padStart(7)}  ${"GFLOP/s".padStart(8)}  ceiling`,
  ];
  for (const { name, ms, gbPerSecond, gflopPerSecond, share, boundBy } of rows) {
    const percent = `${(share * 100).toFixed(0)}% of ${boundBy}`;
    const cells = [
      ms.toFixed(3).padStart(9),
      gbPerSecond.toFixed(1).padStart(7),
      gflopPerSecond.toFixed(1).padStart(8),
      percent,
    ];
    lines.push(`${name.padEnd(width)}  ${cells.join("  ")}`);
  }
  return `${lines.join("\n")}\n`;
}
