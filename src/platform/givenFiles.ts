/** Folders that a program hands over, in a browser as in Node: lists of files, folder handles, files by their paths. */
import { checkedPath, type Folder, type RandomAccessFile } from "../checkpoint/source.js";
import { FileError, InputError } from "../errors.js";
import type { FilesByPath, FolderEntry, FolderHandle, GivenFile, ModelSource } from "../modelSource.js";

/** A blob in memory or on disk, as the browser keeps it. */
export function blobFile(blob: Blob, name: string): RandomAccessFile {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0) || offset + length > blob.size) {
        throw new FileError(`${name}: bytes ${offset} .. ${offset + length} were asked for, it has ${blob.size}`);
      }
      const bytes = new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      if (bytes.length !== length)
        throw new FileError(`${name}: ended at ${offset + bytes.length}; was it changed while being read?`);
      return bytes;
    },
    close: async () => undefined,
  };
}

/**
 * The folder that a program gave, unless that is a path or an address.
 * @param openAddress opens a file given by its address
 * @param others what else may be given here, for the message
 * @throws InputError for anything that is no folder
 */
export function givenFolder(
  source: Exclude<ModelSource, string | URL>,
  openAddress: (address: URL) => Promise<RandomAccessFile>,
  others: string,
): Folder {
  if (isHandle(source)) return handleFolder(source);
  if (isEntry(source)) return entryFolder(source);
  const files = listed(source);
  if (files !== undefined) return fileList(files);
  if (isByPath(source)) return folderByPath(source, openAddress);
  throw new InputError(`a model cannot be opened from ${describe(source)}; give ${others}`);
}

const isObject = (value: unknown): value is Readonly<Record<PropertyKey, unknown>> =>
  typeof value === "object" && value !== null;

function isHandle(value: unknown): value is FolderHandle {
  return isObject(value) && value.kind === "directory" && typeof value.getFileHandle === "function";
}

function isEntry(value: unknown): value is FolderEntry {
  return isObject(value) && value.isDirectory === true && typeof value.getFile === "function";
}

/** The files of a list, whatever kind of list; undefined for anything else. */
function listed(value: unknown): GivenFile[] | undefined {
  if (!isObject(value) || value instanceof Blob) return undefined;
  if (typeof value[Symbol.iterator] !== "function" && typeof value.length !== "number") return undefined;
  const files: unknown[] = Array.from(value as unknown as Iterable<unknown> | ArrayLike<unknown>);
  const isFile = (file: unknown): file is GivenFile => file instanceof Blob && "name" in file;
  return files.every(isFile) ? files : undefined;
}

function isByPath(value: unknown): value is FilesByPath {
  if (!isObject(value) || value instanceof Blob) return false;
  const names = Object.keys(value);
  return names.length > 0 && names.every((name) => value[name] instanceof Blob || value[name] instanceof URL);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list that holds other things than files";
  if (!isObject(value)) return value === null || value === undefined ? String(value) : `a ${typeof value}`;
  const { name } = value.constructor ?? {};
  return name === undefined || name === "Object" ? "an object" : `a ${name}`;
}

/** A folder whose files are found by `find`. */
export function foundFolder(name: string, find: (path: string) => Promise<RandomAccessFile | undefined>): Folder {
  return {
    name,
    async has(path) {
      const file = await find(checkedPath(path, name));
      await file?.close();
      return file !== undefined;
    },
    async open(path) {
      const file = await find(checkedPath(path, name));
      if (!file) throw new FileError(`${name}/${path}: no such file`);
      return file;
    },
  };
}

/**
 * Files of a picked folder know their paths in it. Dropped ones know their names alone, which is enough as long as no two are alike:
 * "tokenizer/vocab.json" is then the file called "vocab.json".
 */
function fileList(files: readonly GivenFile[]): Folder {
  if (files.length === 0) throw new InputError("the list of files is empty; give the files of a model folder");
  const parts = (file: GivenFile | undefined) => (file?.webkitRelativePath ?? "").split("/");
  const byPath = new Map<string, GivenFile>();
  const byName = new Map<string, GivenFile[]>();
  for (const file of files) {
    const path = parts(file).slice(1).join("/");
    if (path === "") byName.set(file.name, [...(byName.get(file.name) ?? []), file]);
    else byPath.set(path, file);
  }
  const name = parts(files[0])[0] || "the given files";
  const find = async (path: string) => {
    const base = path.slice(path.lastIndexOf("/") + 1);
    const [file, ...others] = byPath.has(path) ? [byPath.get(path)] : (byName.get(base) ?? []);
    if (others.length > 0) {
      throw new FileError(
        `${name}: ${others.length + 1} of them are called ${base}; give the files of one model alone, or the folder itself`,
      );
    }
    return file && blobFile(file, `${name}/${path}`);
  };
  return { ...foundFolder(name, find), list: async () => atTop([...byPath.keys(), ...byName.keys()]) };
}

const atTop = (paths: readonly string[]) => paths.filter((path) => !path.includes("/"));

function handleFolder(root: FolderHandle): Folder {
  return foundFolder(root.name || "the given folder", async (path) => {
    const parts = path.split("/");
    const last = parts.pop() ?? "";
    try {
      let place = root;
      for (const part of parts) place = await place.getDirectoryHandle(part);
      return blobFile(await (await place.getFileHandle(last)).getFile(), `${root.name}/${path}`);
    } catch (error) {
      return missing(error, `${root.name}/${path}`);
    }
  });
}

function entryFolder(root: FolderEntry): Folder {
  return foundFolder(root.name, async (path) => {
    try {
      const entry = await new Promise<unknown>((found, failed) => root.getFile(path, {}, found, failed));
      const file = await new Promise<Blob>((found, failed) => {
        (entry as { file(found: (file: Blob) => void, failed: (error: Error) => void): void }).file(found, failed);
      });
      return blobFile(file, `${root.name}/${path}`);
    } catch (error) {
      return missing(error, `${root.name}/${path}`);
    }
  });
}

/** What browsers say where a folder has no such file, or has a folder of that name. */
const MISSING: ReadonlySet<unknown> = new Set(["NotFoundError", "TypeMismatchError"]);

function missing(error: unknown, name: string): undefined {
  if (error instanceof Error && MISSING.has(error.name)) return undefined;
  throw new FileError(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
}

function folderByPath(files: FilesByPath, openAddress: (address: URL) => Promise<RandomAccessFile>): Folder {
  const found = foundFolder("the given files", async (path) => {
    const file = Object.hasOwn(files, path) ? files[path] : undefined;
    return file instanceof URL ? openAddress(file) : file && blobFile(file, path);
  });
  // What lies at an address need not be opened to know that it was given.
  const has = async (path: string) => Object.hasOwn(files, checkedPath(path, found.name));
  return { ...found, has, list: async () => atTop(Object.keys(files)) };
}
