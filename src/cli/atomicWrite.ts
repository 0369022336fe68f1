/** Writing a file so that its name only ever stands for a whole one. */
import type { Stats } from "node:fs";
import { access, constants, open, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { FileError, InputError } from "../errors.js";
import { asFileError } from "../platform/nodeFiles.js";

/**
 * Writes beside the target and renames; a link stays a link. What is there and no file (a device, a pipe) is written directly.
 * @throws FileError naming the path and what the system said.
 */
export async function atomicWrite(path: string, data: Uint8Array | string): Promise<void> {
  const { target, direct } = await place(path);
  const partial = partialOf(target);
  try {
    await writeFile(direct ? target : partial, data);
    if (!direct) await rename(partial, target);
  } catch (error) {
    if (!direct) await rm(partial, { force: true }).catch(() => undefined);
    throw asFileError(error, path);
  }
}

/**
 * Fails before the work rather than after it, with what `atomicWrite` would fail with. It makes the partial file and removes it, since
 * permission bits say little about a network's or a read-only file system.
 * @throws FileError
 */
export async function requireWritable(path: string): Promise<void> {
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (!folder?.isDirectory()) throw new FileError(`${path}: the folder ${dirname(path)} does not exist`);
  try {
    const { target, there, direct } = await place(path);
    if (there?.isDirectory()) throw new FileError(`${path}: it is a folder, name a file`);
    if (there) await access(target, constants.W_OK);
    if (direct) return;
    await (await open(partialOf(target), "w")).close();
    await rm(partialOf(target), { force: true });
  } catch (error) {
    throw asFileError(error, path);
  }
}

/** Endings of sound and pictures; what would be written under them is none of it. */
const OTHER_KINDS = {
  WAV: "mp3 mp2 ogg oga opus spx flac m4a m4b mp4 aac wma amr aif aiff aifc au snd caf webm weba mka ac3 3gp ape alac pcm raw l16 ulaw alaw",
  PNG: "jpg jpeg webp gif svg bmp tif tiff pdf avif",
} as const;

/** Refuses a name that promises another kind of file than is written. @throws InputError */
export function requireEnding(path: string, written: keyof typeof OTHER_KINDS): void {
  const ending = extname(path).slice(1).toLowerCase();
  if (ending === "" || !OTHER_KINDS[written].split(" ").includes(ending)) return;
  const own = `${path.slice(0, -ending.length)}${written.toLowerCase()}`;
  throw new InputError(`${path}: only ${written} is written; name it ${own}`);
}

/** Where a path leads, and whether what is there must be written to rather than replaced. */
async function place(path: string): Promise<{ target: string; there: Stats | undefined; direct: boolean }> {
  const target = await realpath(path).catch(() => path);
  const there = await stat(target).catch(() => undefined);
  return { target, there, direct: there !== undefined && !there.isFile() };
}

function partialOf(target: string): string {
  return `${target}.partial-${process.pid}`;
}
