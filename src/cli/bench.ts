/** `cosyvoice bench`: kernels at the model's shapes, against ceilings measured on the same device in the same run. */
import { type Command, Option } from "commander";
import { findAdapter } from "#platform";
import { benchKernels } from "../../bench/kernels.js";
import { formatRows } from "../../bench/table.js";
import { Device } from "../gpu/device.js";

interface BenchOptions {
  readonly json?: boolean;
  readonly only?: string;
  readonly seconds: string;
}

export function registerBench(program: Command): void {
  program
    .command("bench")
    .description("time every kernel at the model's shapes, as a share of this device's own measured ceilings")
    .option("--only <text>", "rows whose name contains this text")
    .addOption(new Option("--seconds <n>", "time spent on each row").default("0.5"))
    .option("--json", "print one JSON object instead of the table")
    .addHelpText("after", "\nExample:\n  cosyvoice bench --only matmul --adapter lavapipe")
    .action(async (options: BenchOptions, command: Command) => {
      const { adapter } = command.optsWithGlobals<{ adapter?: string }>();
      const device = await Device.open(await findAdapter(adapter));
      try {
        const report = await benchKernels(device, {
          only: options.only ?? "",
          seconds: Number(options.seconds),
          onRow: (name) => process.stderr.write(`timing ${name}\n`),
        });
        process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : formatRows(report));
      } finally {
        device.destroy();
      }
    });
}
