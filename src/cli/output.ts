/** stdout as a place that may fail: a full disk behind `>`, a reader that goes away. */
import { fstatSync, writeFile } from "node:fs";
import { promisify } from "node:util";
import { CancelledError } from "../errors.js";
import { asFileError } from "../platform/nodeFiles.js";
import { cancelWork, INTERRUPTED_STATUS } from "./interrupt.js";

/** What a shell reports of a program that wrote to a closed pipe: 128 + SIGPIPE. */
const BROKEN_PIPE_STATUS = 141;

const STDOUT_FD = 1;

let lost: NodeJS.ErrnoException | undefined;

/** Whether something meant for stdout did not get there. */
export function lostOutput(): boolean {
  return lost !== undefined;
}

/** Says what is likely to be wrong with a result that is there all the same. */
export function warn(warnings: readonly string[]): void {
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
}

/** Starts watching both streams. Work whose results nobody gets is cancelled; lost messages on stderr stop nothing. */
export function watchOutput(): void {
  process.stdout.on("error", lose);
  process.stderr.on("error", () => undefined);
}

function lose(error: NodeJS.ErrnoException): void {
  lost ??= error;
  cancelWork();
}

/** Writes everything to stdout and waits until it is there. @throws CancelledError when it is not; `finish` says why. */
export async function writeStdout(bytes: Uint8Array): Promise<void> {
  try {
    // Node writes a piece to a file with one system call, of which a disk that fills up takes only a part.
    if (fstatSync(STDOUT_FD).isFile()) await promisify(writeFile)(STDOUT_FD, bytes);
    else await sent(process.stdout, bytes);
  } catch (error) {
    lose(error as NodeJS.ErrnoException);
    throw new CancelledError("stdout takes no more", { cause: error });
  }
}

/** Waits for what was written, and turns the exit status of the work into that of the process. */
export async function finish(status: number): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) await sent(stream, "").catch(() => undefined);
  // A stream that fails calls back first and says so in the next turn.
  await new Promise(setImmediate);
  if (!lost) return status;
  if (lost.code === "EPIPE") return status === 0 || status === INTERRUPTED_STATUS ? BROKEN_PIPE_STATUS : status;
  await sent(process.stderr, `error: ${asFileError(lost, "stdout").message}\n`).catch(() => undefined);
  return 1;
}

function sent(stream: NodeJS.WriteStream, data: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}
