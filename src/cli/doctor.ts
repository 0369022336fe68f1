/** `cosyvoice doctor`: which GPUs there are, which one the engine takes, what it will do because of it, and whether it computes. */
import type { Command } from "commander";
import { listAdapters, openFolder } from "#platform";
import { checkGpu } from "../checkGpu.js";
import { DeviceError } from "../errors.js";
import { type AdapterReportData, reportAdapter } from "../gpu/adapterReport.js";
import type { SelfTestResult } from "../selfTest.js";
import { type SoundCheck, soundCheck } from "../soundCheck.js";
import { modelFolder } from "./boxedModel.js";
import { loadModel, withProgress } from "./loadModel.js";
import { example, globalOptions, modelOption } from "./options.js";

interface Refused {
  readonly name: string;
  readonly reason: string;
}

interface Report {
  readonly node: string;
  readonly system: string;
  /** Adapters that can be had, best first. */
  readonly adapters: readonly AdapterReportData[];
  readonly refused: readonly Refused[];
  /** The adapter that a command would take now. */
  readonly chosen: AdapterReportData;
  /** What follows from its features and limits. */
  readonly choices: Readonly<Record<string, string>>;
  readonly selfTest: readonly SelfTestResult[];
  /** What `--listen` found. */
  readonly soundCheck?: SoundCheck;
  readonly passed: boolean;
}

interface Options {
  readonly listen?: boolean;
  readonly model?: string;
  readonly json?: boolean;
}

export function registerDoctor(program: Command): void {
  program
    .command("doctor")
    .description(
      "show the GPU adapters, what the engine chooses because of them, and test that the chosen one computes",
    )
    .option("--listen", "also speak the model's sample sentence and compare it with the sample")
    .addOption(modelOption("the model that --listen hears"))
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      example("cosyvoice doctor", "cosyvoice doctor --listen", "cosyvoice doctor --adapter swiftshader --json"),
    )
    .action(async ({ listen = false, model, json = false }: Options, command: Command) => {
      const { adapter } = globalOptions(command);
      const examined = await examine(adapter);
      // A driver that fails at sums need not speak.
      const report = listen && examined.passed ? await heard(examined, modelFolder(model), adapter) : examined;
      process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : format(report));
      if (!report.passed) {
        const failed = report.soundCheck ? "it does not speak like the sample" : "the self-test failed";
        throw new DeviceError(
          `${report.chosen.name}: ${failed}, this driver does not compute correctly; try another --adapter`,
        );
      }
    });
}

async function heard(report: Report, model: string, adapter: string | undefined): Promise<Report> {
  const folder = await openFolder(model);
  const tts = await loadModel(model, { adapter, voice: undefined });
  try {
    const check = await withProgress("speaking", (hooks) => soundCheck(tts, folder, hooks));
    return { ...report, soundCheck: check, passed: check.passed };
  } finally {
    tts.destroy();
  }
}

async function examine(wanted: string | undefined): Promise<Report> {
  const listed = await listAdapters();
  const { adapter, choices, tests, passed } = await checkGpu(wanted === undefined ? {} : { adapter: wanted });
  return {
    node: process.version,
    system: `${process.platform}-${process.arch}`,
    adapters: listed.flatMap(({ found }) => (found ? [reportAdapter(found)] : [])),
    refused: listed.flatMap(({ name, found, reason }) =>
      found ? [] : [{ name, reason: reason ?? "no reason given" }],
    ),
    chosen: adapter,
    choices,
    selfTest: tests,
    passed,
  };
}

function format(report: Report): string {
  const { chosen } = report;
  const lines = [`Node ${report.node} on ${report.system}`, "", "adapters"];
  for (const adapter of report.adapters) {
    const mark = adapter.name === chosen.name ? "*" : " ";
    lines.push(`${mark} ${adapter.name.padEnd(14)} ${adapter.driver}${adapter.software ? " (software)" : ""}`);
  }
  for (const { name, reason } of report.refused) lines.push(`- ${name.padEnd(14)} ${reason}`);
  lines.push("", `chosen: ${chosen.name}`);
  for (const [what, choice] of Object.entries(report.choices)) lines.push(`  ${what.padEnd(32)} ${choice}`);
  lines.push("", "limits");
  for (const [limit, value] of Object.entries(chosen.limits)) lines.push(`  ${limit.padEnd(36)} ${value}`);
  lines.push("", `features: ${chosen.features.join(", ")}`, "", "self-test");
  for (const { name, passed, rel, limit, ms } of report.selfTest) {
    const verdict = passed ? "ok  " : "FAIL";
    lines.push(`  ${verdict} ${name.padEnd(32)} rel ${rel.toExponential(1)} (at most ${limit}), ${ms.toFixed(0)} ms`);
  }
  if (report.soundCheck) lines.push("", soundLine(report.soundCheck));
  return `${lines.join("\n")}\n`;
}

function soundLine({ text, passed, correlation, limit, seconds, expectedSeconds }: SoundCheck): string {
  const length =
    seconds === expectedSeconds ? "" : `, ${seconds.toFixed(2)} s instead of ${expectedSeconds.toFixed(2)} s`;
  const found = `log-mel correlation ${correlation.toFixed(4)} (at least ${limit})${length}`;
  return `${passed ? "ok  " : "FAIL"} ${JSON.stringify(text)} sounds ${passed ? "like" : "unlike"} the sample: ${found}`;
}
