#!/usr/bin/env node
/**
 * The command line. Results a script wants go to stdout, everything else to stderr. Exit status: 0 done, 1 a bad input or a failed
 * run, 2 bad usage, 130 interrupted, 141 nobody reads stdout any more.
 */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { CancelledError, CosyVoiceError } from "../errors.js";
import { registerBatch } from "./batch.js";
import { registerBench } from "./bench.js";
import { registerConvert } from "./convert.js";
import { registerDoctor } from "./doctor.js";
import { INTERRUPTED_STATUS, interrupted, listenForInterrupts } from "./interrupt.js";
import { registerNormalize } from "./normalize.js";
import { example, globalOptions } from "./options.js";
import { finish, lostOutput, watchOutput } from "./output.js";
import { registerParity } from "./parity.js";
import { registerSpeak } from "./speak.js";
import { registerVc } from "./vc.js";
import { registerVoice } from "./voice.js";

const BAD_USAGE = 2;

async function main(): Promise<number> {
  listenForInterrupts();
  watchOutput();
  const program = createProgram();
  try {
    await program.parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    return report(error, globalOptions(program).debug ?? false);
  }
}

function createProgram(): Command {
  const { version } = createRequire(import.meta.url)("cosyvoice-webgpu/package.json") as { version: string };
  const program = new Command("cosyvoice")
    .description("CosyVoice2 text-to-speech on any GPU")
    .version(version)
    .option("--adapter <name>", "GPU adapter, one that `cosyvoice doctor` lists (also COSYVOICE_ADAPTER)")
    .option("--debug", "print the stack of an error")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(`${oneLine(text)}\n`) })
    .exitOverride()
    .addHelpText("after", example('cosyvoice speak "Hello, it works." -o hello.wav'));
  // Every command inherits the settings above, so it must be made by `program.command`.
  registerDoctor(program);
  registerConvert(program);
  registerSpeak(program);
  registerVc(program);
  registerVoice(program);
  registerBatch(program);
  registerNormalize(program);
  registerParity(program);
  registerBench(program);
  return program;
}

/** Writes one line to stderr and gives the exit status. */
function report(error: unknown, debug: boolean): number {
  // Commander has written its own line, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : BAD_USAGE;
  if (error instanceof CancelledError || (interrupted.aborted && !lostOutput())) {
    if (!lostOutput()) process.stderr.write("cancelled\n");
    return INTERRUPTED_STATUS;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (debug) process.stderr.write(`error: ${error instanceof Error ? (error.stack ?? message) : message}\n`);
  else if (error instanceof CosyVoiceError) process.stderr.write(`error: ${firstLine(message)}\n`);
  else process.stderr.write(`error: ${oneLine(message)} (unexpected; --debug shows where)\n`);
  return 1;
}

/** A message may go on for many lines, as the one that shows a shader does. */
function firstLine(text: string): string {
  const [first = "", ...rest] = text.trim().split("\n");
  return rest.length === 0 ? first : `${first} (--debug shows more)`;
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " ");
}

// Dawn keeps threads alive, so the process must be ended.
process.exit(await finish(await main()));
