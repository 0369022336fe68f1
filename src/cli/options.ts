/** Options that several commands share, and how their values are read. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Compat } from "../compat.js";

/** Options of the program itself; every command has them too. */
export interface GlobalOptions {
  /** Name of a GPU adapter as `doctor` lists it. */
  readonly adapter?: string;
  /** Print the stack of an error. */
  readonly debug?: boolean;
}

export function globalOptions(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>();
}

/** `--model`; `modelFolder` finds the one that is used. @param what of a model is used */
export function modelOption(what = "a converted model folder, or an official release"): Option {
  return new Option("--model <dir>", `${what} (default: that of COSYVOICE_MODEL, else the one in the package)`);
}

/** `--dtype`; without it a model folder is read as it is, an official folder as f32. */
export function dtypeOption(): Option {
  return new Option("--dtype <type>", "how matrices are kept on the GPU").choices(["f32", "f16"]);
}

/** Who reads numbers, dates, money and units. */
export type NormalizerName = "wetext" | "none";

export function normalizeOption(): Option {
  return new Option("--normalize <how>", "read numbers, dates, money and units as the official front end does, or not")
    .choices(["wetext", "none"] satisfies NormalizerName[])
    .default("wetext");
}

/** Whose ways are followed where they differ (`src/compat.ts`). */
export function compatOption(): Option {
  return new Option("--compat <whose>", "do as the official release where we do otherwise, faults included").choices([
    "official",
  ] satisfies Compat[]);
}

export function seedOption(what = "text"): Option {
  return new Option("--seed <n>", `same seed, ${what}, voice, model and adapter: same samples`)
    .argParser(wholeNumber)
    .default(0);
}

export function speedOption(): Option {
  return new Option("--speed <x>", "0.5 to 2 times as fast").argParser(positiveNumber).default(1);
}

/** A whole number 0 .. 2^53. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("It must be a whole number, 0 or more.");
  }
  return value;
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError("It must be a number above 0.");
  return value;
}

/** "a,b, c" as a list. */
export function commaList(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Help text with an example, in the same form for every command. */
export function example(...lines: readonly string[]): string {
  return `\nExample${lines.length > 1 ? "s" : ""}:\n${lines.map((line) => `  $ ${line}`).join("\n")}\n`;
}
