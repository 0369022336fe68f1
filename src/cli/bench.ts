/**
 * `cosyvoice bench`: kernels at the model's shapes, against ceilings measured on the same device in the same run; whole speech; the
 * networks that hear, beside ONNX Runtime.
 */
import { type Command, Option } from "commander";
import { findAdapter, openFolder } from "#platform";
import { benchEars, type EarsReport } from "../../bench/ears.js";
import { benchKernels, type KernelReport } from "../../bench/kernels.js";
import { findPeers } from "../../bench/onnxRuntime.js";
import { release } from "../../bench/release.js";
import { benchStages, type StageReport } from "../../bench/stages.js";
import { syntheticModel } from "../../bench/syntheticModel.js";
import { formatEars, formatKernels, formatStages } from "../../bench/table.js";
import { openModel } from "../checkpoint/model.js";
import { Device } from "../gpu/device.js";
import { modelFolder } from "./boxedModel.js";
import { withProgress } from "./loadModel.js";
import { example, globalOptions, modelOption, positiveNumber } from "./options.js";

const PARTS = ["kernels", "stages", "ears"] as const;

interface Options {
  readonly part?: (typeof PARTS)[number];
  readonly only: string;
  readonly seconds: number;
  readonly model?: string;
  readonly text: string;
  readonly onnx?: string;
  readonly json?: boolean;
}

export function registerBench(program: Command): void {
  program
    .command("bench")
    .summary("time every kernel and stage on this device")
    .description(
      "Time every kernel at the shapes of the 0.5B release, as a share of this device's own measured ceilings, the stages of a model that speaks a sentence, and the two networks that hear a recording.",
    )
    .addOption(new Option("--part <part>", "only this part (default: all; ears with --onnx)").choices(PARTS))
    .option("--only <text>", "kernel rows whose name contains this text", "")
    .option("--seconds <n>", "time spent on each kernel row", positiveNumber, 0.5)
    .addOption(modelOption("the model whose stages are timed"))
    .option("--text <text>", "what the stages speak", "The boy was there when the sun rose.")
    .option("--onnx <dir>", "for ears: a release whose ONNX files onnxruntime-node runs beside this engine")
    .option("--json", "print one JSON object instead of the tables")
    .addHelpText(
      "after",
      example(
        "cosyvoice bench --only matvec --part kernels",
        "cosyvoice bench --part stages --model CosyVoice2-0.5B-f16",
        "cosyvoice bench --part ears --onnx CosyVoice2-0.5B",
      ),
    )
    .action(async (options: Options, command: Command) => {
      const { adapter } = globalOptions(command);
      const { part, onnx } = options;
      const wanted = part ? [part] : PARTS.filter((one) => one !== "ears" || onnx !== undefined);
      const kernels = wanted.includes("kernels") ? await kernelReport(options, adapter) : undefined;
      const stages = wanted.includes("stages") ? await stageReport(options, adapter) : undefined;
      const ears = wanted.includes("ears") ? await earsReport(options, adapter) : undefined;
      if (options.json) process.stdout.write(`${JSON.stringify({ kernels, stages, ears }, null, 2)}\n`);
      else {
        const tables = [kernels && formatKernels(kernels), stages && formatStages(stages), ears && formatEars(ears)];
        process.stdout.write(tables.filter(Boolean).join("\n"));
      }
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
  const source = modelFolder(model);
  return withProgress("stages", (hooks) =>
    benchStages(source, { text, ...(adapter !== undefined ? { adapter } : {}), ...hooks }),
  );
}

async function earsReport({ onnx, seconds }: Options, adapter: string | undefined): Promise<EarsReport> {
  const device = await Device.open(await findAdapter(adapter));
  try {
    const model = onnx === undefined ? syntheticModel(release, "f32") : await openModel(await openFolder(onnx));
    const peers = onnx === undefined ? {} : { peers: await findPeers(onnx) };
    const report = withProgress("ears", (hooks) => benchEars(device, model, { seconds, ...peers, ...hooks }));
    return await report.finally(() => model.close());
  } finally {
    device.destroy();
  }
}
