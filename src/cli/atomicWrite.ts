/** Writing a file so that its name only ever stands for a whole one. */
import { rename, rm, writeFile } from "node:fs/promises";
import { asFileError } from "../platform/nodeFiles.js";

/**
 * Writes beside the target and renames. A device such as /dev/null or a pipe is written directly.
 * @throws FileError naming the path and what the system said.
 */
export async function atomicWrite(path: string, data: Uint8Array | string): Promise<void> {
  const direct = path.startsWith("/dev/");
  const partial = direct ? path : `${path}.partial-${process.pid}`;
  try {
    await writeFile(partial, data);
    if (!direct) await rename(partial, path);
  } catch (error) {
    if (!direct) await rm(partial, { force: true }).catch(() => undefined);
    throw asFileError(error, path);
  }
}
