/** `cosyvoice parity`: this machine's GPU held against a reference bundle. */
import { type Command, InvalidArgumentError } from "commander";
import { findAdapter, openFolder } from "#platform";
import { openModel, type WeightDtype } from "../checkpoint/model.js";
import { CosyVoiceError, InputError } from "../errors.js";
import { reportAdapter } from "../gpu/adapterReport.js";
import { Device } from "../gpu/device.js";
import { openBundle } from "../parity/bundle.js";
import { countRows, runParity, unknownStage } from "../parity/parity.js";
import { makeReport, type ParityReport, type Row, tableFoot, tableHead, tableRow } from "../parity/report.js";
import { atomicWrite, requireWritable } from "./atomicWrite.js";
import { interrupted } from "./interrupt.js";
import { commaList, dtypeOption, example, globalOptions } from "./options.js";
import { showProgress } from "./progress.js";

interface Options {
  readonly reference: string;
  readonly stages?: string[];
  readonly dtype?: WeightDtype;
  readonly json?: string;
}

export function registerParity(program: Command): void {
  program
    .command("parity")
    .summary("compare this GPU's results with PyTorch's")
    .description(
      "replay the inputs of a reference bundle on the GPU, stage by stage, and compare every output with what PyTorch computed",
    )
    .argument("<model>", "a converted model folder, or the bundle's own model/")
    .requiredOption("--reference <bundle>", "the bundle: reference.safetensors, text.json")
    .option("--stages <list>", "only these stages, separated by commas", parseStages)
    .addOption(dtypeOption())
    .option("--json <file>", "also write the rows as JSON")
    .addHelpText("after", example("cosyvoice parity bundle/model --reference bundle --stages flow,vocoder --dtype f16"))
    .action(async (path: string, options: Options, command: Command) => {
      if (options.json !== undefined) await requireWritable(options.json);
      const report = await run(path, options, command);
      process.stdout.write(`${tableFoot(report)}\n`);
      if (options.json !== undefined) await atomicWrite(options.json, `${JSON.stringify(report, null, 2)}\n`);
      if (report.failed > 0) {
        throw new CosyVoiceError(`parity: ${report.failed} of ${report.rows.length} comparisons failed`);
      }
    });
}

async function run(path: string, { reference, stages, dtype }: Options, command: Command): Promise<ParityReport> {
  const bundle = await openBundle(await openFolder(reference));
  try {
    const unknown = unknownStage(stages, bundle);
    if (unknown !== undefined) command.error(`error: ${unknown}`);
    const total = countRows(bundle, stages);
    if (total === 0) throw new InputError(`${reference}: it has no case of ${stages?.join(", ") ?? "any stage"}`);
    const model = await openModel(await openFolder(path), dtype ? { dtype } : {});
    try {
      const found = await findAdapter(globalOptions(command).adapter);
      const device = await Device.open(found);
      // On a terminal the growing table is the progress; a bar would be written over it.
      const progress = process.stdout.isTTY ? undefined : showProgress("parity");
      const rows: Row[] = [];
      try {
        process.stdout.write(`${tableHead()}\n`);
        const options = { ...(stages ? { stages } : {}), signal: interrupted };
        for await (const row of runParity(model, bundle, device, options)) {
          rows.push(row);
          process.stdout.write(`${tableRow(row)}\n`);
          progress?.update(rows.length, total, `${row.stage} ${row.case}`);
        }
        return makeReport(reportAdapter(found), model.dtype, rows);
      } finally {
        progress?.stop();
        device.destroy();
      }
    } finally {
      await model.close();
    }
  } finally {
    await bundle.close();
  }
}

function parseStages(text: string): string[] {
  const stages = commaList(text);
  if (stages.length === 0) throw new InvalidArgumentError("It names no stage.");
  return stages;
}
