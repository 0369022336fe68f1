/** Runs the command line as a user does: a process of its own, from the compiled files. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { TINY } from "../helpers/tinyModel.js";

/** The program. */
export const commandLine = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  /** Without Dawn's own warnings about limits. */
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  /** stdin stays open after the input. */
  readonly open?: boolean;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Where stdout goes instead: a file, or "closed" for a pipe that nobody reads. */
  readonly stdout?: string;
  /** Sends this signal once stderr holds the text. */
  readonly interrupt?: { readonly at: string; readonly signal: NodeJS.Signals };
}

export function cosyvoice(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  if (!existsSync(commandLine)) throw new Error(`${commandLine} is not there; run "npm run build" first`);
  const toFile = options.stdout !== undefined && options.stdout !== "closed";
  const fd = toFile ? openSync(options.stdout as string, "w") : undefined;
  const child = spawn(process.execPath, [commandLine, ...args], {
    ...(options.cwd ? { cwd: options.cwd } : {}),
    env: { ...process.env, COSYVOICE_ADAPTER: "swiftshader", COSYVOICE_MODEL: TINY, ...options.env },
    stdio: ["pipe", fd ?? "pipe", "pipe"],
  }) as ChildProcess & { readonly stdin: Writable; readonly stderr: Readable };
  if (fd !== undefined) closeSync(fd);
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk;
  });
  if (options.stdout === "closed") child.stdout?.destroy();
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
    if (options.interrupt && stderr.includes(options.interrupt.at)) child.kill(options.interrupt.signal);
  });
  child.stdin.on("error", () => undefined);
  if (options.open) child.stdin.write(options.input ?? "");
  else child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      resolve({ status, stdout, stderr: stderr.replace(/^Warning: max.*artificially reduced.*\n/gm, "") });
    });
  });
}
