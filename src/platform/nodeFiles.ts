/**
 * Files in Node: reading at any place, writing a folder that appears all at once, SHA-256 of a stream.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import type { Folder, Hasher, OutputFile, OutputFolder, RandomAccessFile } from "../checkpoint/source.js";
import { checkedPath } from "../checkpoint/source.js";
import { FileError, InputError } from "../errors.js";

/** Largest single read; the system call takes a little under 2 GiB. */
const MAX_READ = 1 << 30;

/** @throws FileError when it cannot be opened. */
export async function openFile(path: string): Promise<RandomAccessFile> {
  let handle: FileHandle;
  let size: number;
  try {
    handle = await open(path, constants.O_RDONLY);
    const stats = await handle.stat();
    if (!stats.isFile()) {
      await handle.close();
      throw new FileError(`${path}: not a file`);
    }
    size = stats.size;
  } catch (error) {
    throw asFileError(error, path);
  }
  return {
    name: path,
    size,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0) || offset + length > size) {
        throw new FileError(`${path}: bytes ${offset} .. ${offset + length} were asked for, it has ${size}`);
      }
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await handle.read(bytes, done, Math.min(MAX_READ, length - done), offset + done);
        if (bytesRead === 0)
          throw new FileError(`${path}: ended at ${offset + done}; was it changed while being read?`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** A folder to read. @throws FileError when there is none. */
export async function openFolder(path: string): Promise<Folder> {
  try {
    if (!(await stat(path)).isDirectory()) throw new FileError(`${path}: not a folder`);
  } catch (error) {
    throw asFileError(error, path);
  }
  return {
    name: path,
    has: async (file) =>
      access(join(path, checkedPath(file, path))).then(
        () => true,
        () => false,
      ),
    open: async (file) => openFile(join(path, checkedPath(file, path))),
  };
}

export function createHasher(): Hasher {
  const hash = createHash("sha256");
  return {
    update: (bytes) => void hash.update(bytes),
    digest: () => hash.digest("hex"),
  };
}

export interface OutputFolderOptions {
  /** Replace a folder that `isReplaceable` accepts. */
  readonly force?: boolean;
  /** Says whether a non-empty folder holds only what an earlier run wrote. */
  readonly isReplaceable: (folder: Folder, entries: readonly string[]) => Promise<boolean>;
}

/**
 * A folder to write. Everything goes to `<path>.partial-<process>` beside it until `commit`.
 * @throws InputError when there is already something at `path` that must not be replaced.
 */
export async function createOutputFolder(path: string, options: OutputFolderOptions): Promise<OutputFolder> {
  const target = resolve(path);
  await requireFree(target, options);
  await removeAbandoned(target);
  const partial = `${target}.partial-${process.pid}`;
  const files = new Set<FileHandle>();
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
  } catch (error) {
    throw asFileError(error, target);
  }
  return {
    name: path,
    async create(file) {
      const full = join(partial, checkedPath(file, path));
      try {
        await mkdir(dirname(full), { recursive: true });
        const handle = await open(full, "wx");
        files.add(handle);
        return outputFile(join(path, file), handle, () => files.delete(handle));
      } catch (error) {
        throw asFileError(error, join(path, file));
      }
    },
    async commit() {
      const old = `${target}.old-${process.pid}`;
      try {
        const replaced = await rename(target, old).then(
          () => true,
          () => false,
        );
        await rename(partial, target);
        if (replaced) await rm(old, { recursive: true, force: true });
      } catch (error) {
        throw asFileError(error, target);
      }
    },
    async discard() {
      for (const handle of files) await handle.close().catch(() => undefined);
      files.clear();
      await rm(partial, { recursive: true, force: true });
    },
  };
}

function outputFile(name: string, handle: FileHandle, closed: () => void): OutputFile {
  return {
    async write(bytes) {
      try {
        for (let done = 0; done < bytes.length; ) {
          done += (await handle.write(bytes, done, Math.min(MAX_READ, bytes.length - done))).bytesWritten;
        }
      } catch (error) {
        throw asFileError(error, name);
      }
    },
    async close() {
      closed();
      // What is renamed into place must be on the disk, or a power cut could leave a finished-looking folder of holes.
      await handle.sync().catch(() => undefined);
      await handle.close();
    },
  };
}

async function requireFree(target: string, { force = false, isReplaceable }: OutputFolderOptions): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR")
      throw new InputError(`${target}: there is a file of that name`);
    throw asFileError(error, target);
  }
  if (entries.length === 0) return;
  if (!(await isReplaceable(await openFolder(target), entries))) {
    throw new InputError(
      `${target}: the folder is not empty and holds other things than a converted model; name another one`,
    );
  }
  if (!force) throw new InputError(`${target}: already holds a converted model; --force replaces it`);
}

/** Deletes what a killed run of ours left beside the target. */
async function removeAbandoned(target: string): Promise<void> {
  const prefix = `${basename(target)}.partial-`;
  for (const entry of await readdir(dirname(target)).catch(() => [])) {
    const pid = Number(entry.startsWith(prefix) ? entry.slice(prefix.length) : Number.NaN);
    if (Number.isInteger(pid) && !isRunning(pid))
      await rm(join(dirname(target), entry), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EFBIG: "the file system cannot hold a file of that size",
};

/** What went wrong with a file, in words. */
export function asFileError(error: unknown, path: string): Error {
  if (error instanceof FileError || error instanceof InputError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return new FileError(`${path}: ${REASONS[code] ?? (error instanceof Error ? error.message : String(error))}`, {
    cause: error,
  });
}
