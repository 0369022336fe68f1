/**
 * Files in Node: reading at any place, writing a folder that appears all at once, SHA-256 of a stream.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
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
    has: async (file) => exists(join(path, checkedPath(file, path))),
    open: async (file) => openFile(join(path, checkedPath(file, path))),
    async list() {
      try {
        const entries = await readdir(path, { withFileTypes: true });
        return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
      } catch (error) {
        throw asFileError(error, path);
      }
    },
  };
}

/** Makes a folder and those it lies in; one that is there is left alone. @throws FileError */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw asFileError(error, path);
  }
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
  await cleanUp(target);
  await requireFree(target, options);
  const partial = `${target}.partial-${process.pid}`;
  const files = new Set<FileHandle>();
  /** The topmost folder that had to be made. */
  let made: string | undefined;
  try {
    await rm(partial, { recursive: true, force: true });
    made = await mkdir(partial, { recursive: true });
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
          (error: NodeJS.ErrnoException) => {
            if (error.code === "ENOENT") return false;
            throw error;
          },
        );
        try {
          await rename(partial, target);
        } catch (error) {
          if (replaced) await rename(old, target);
          throw error;
        }
      } catch (error) {
        throw asFileError(error, target);
      }
      // The new one is in place; what is left of the old one is cleaned up next time.
      await rm(old, { recursive: true, force: true }).catch(() => undefined);
    },
    async discard() {
      for (const handle of files) await handle.close().catch(() => undefined);
      files.clear();
      await rm(partial, { recursive: true, force: true });
      // Folders around it that were made for it, as far as nobody else has put anything there.
      if (made === undefined) return;
      for (let folder = dirname(partial); folder.length >= made.length; folder = dirname(folder)) {
        if (
          !(await rmdir(folder).then(
            () => true,
            () => false,
          ))
        )
          return;
      }
    },
  };
}

/** What file systems say that cannot sync. */
const NO_SYNC: ReadonlySet<string> = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

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
      try {
        // What is renamed into place must be on the disk, or a power cut could leave a finished-looking folder of holes. A disk
        // may also say only now that it is full.
        await handle.sync().catch((error: NodeJS.ErrnoException) => {
          if (!NO_SYNC.has(error.code ?? "")) throw error;
        });
      } catch (error) {
        throw asFileError(error, name);
      } finally {
        await handle.close();
      }
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

/** Deletes what killed runs of ours left beside the target, and puts back the model that one was about to replace. */
async function cleanUp(target: string): Promise<void> {
  const [folder, name] = [dirname(target), basename(target)];
  for (const entry of await readdir(folder).catch(() => [])) {
    const [, kind, pid] = (entry.startsWith(name) && /^\.(partial|old)-(\d+)$/.exec(entry.slice(name.length))) || [];
    if (kind === undefined || isRunning(Number(pid))) continue;
    const left = join(folder, entry);
    try {
      // Between its two renames a run has moved the old model away and the new one not yet in.
      if (kind === "old" && !(await exists(target))) await rename(left, target);
      else await rm(left, { recursive: true, force: true });
    } catch (error) {
      throw asFileError(error, left);
    }
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whether another process has this id; containers like to give the same ones again. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
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
  EIO: "the disk failed",
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
