/** `cosyvoice bench`: kernels at the model's shapes, against ceilings measured on the same device in the same run; then whole speech. */
import { type Command, Option } from "commander";
import { findAdapter } from "#platform";
import { benchKernels, type KernelReport } from "../../bench/kernels.js";
import { benchStages, type StageReport } from "../../bench/stages.js";
import { formatKernels, formatStages } from "../../bench/table.js";
import { Device } from "../gpu/device.js";
import { boxedModel } from "./boxedModel.js";
import { withProgress } from "./loadModel.js";
import { example, globalOptions, positiveNumber } from "./options.js";

const PARTS = ["kernels", "stages"] as const;

interface Options {
  readonly part?: (typeof PARTS)[number];
  readonly only: string;
  readonly seconds: number;
  readonly model?: string;
  readonly text: string;
  readonly json?: boolean;
}

export function registerBench(program: Command): void {
  program
    .command("bench")
    .summary("time every kernel and stage on this device")
    .description(
      "Time every kernel at the shapes of the 0.5B release, as a share of this device's own measured ceilings, and the stages of a model that speaks a sentence.",
    )
    .addOption(new Option("--part <part>", "only the kernels, or only the stages").choices(PARTS))
    .option("--only <text>", "kernel rows whose name contains this text", "")
    .option("--seconds <n>", "time spent on each kernel row", positiveNumber, 0.5)
    .option("--model <dir>", "whose stages are timed (default: the model in the package)")
    .option("--text <text>", "what the stages speak", "The boy was there when the sun rose.")
    .option("--json", "print one JSON object instead of the tables")
    .addHelpText(
      "after",
      example(
        "cosyvoice bench --only matvec --part kernels",
        "cosyvoice bench --part stages --model CosyVoice2-0.5B-f16",
      ),
    )
    .action(async (options: Options, command: Command) => {
      const { adapter } = globalOptions(command);
      const kernels = options.part === "stages" ? undefined : await kernelReport(options, adapter);
      const stages = options.part === "kernels" ? undefined : await stageReport(options, adapter);
      if (options.json) process.stdout.write(`${JSON.stringify({ kernels, stages }, null, 2)}\n`);
      else
        process.stdout.write(
          [kernels && formatKernels(kernels), stages && formatStages(stages)].filter(Boolean).join("\n"),
        );
    });
}

async function kernelReport({ only, seconds }: Options, adapter: string | undefined): Promise<KernelReport> {
  const device = await Device.open(await findAdapter(adapter));
  try {
    return await withProgress("kernels", (hooks) => benchKernels(device, { only, seconds, ...hooks }));
  } finally {
    device.destroy();
  }
}

function stageReport({ model, text }: Options, adapter: string | undefined): Promise<StageReport> {
  const source = model ?? boxedModel();
  return withProgress("stages", (hooks) =>
    benchStages(source, { text, ...(adapter !== undefined ? { adapter } : {}), ...hooks }),
  );
}
