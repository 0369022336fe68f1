/**
 * Files in a browser: `File`s that the user picked, or addresses read piece by piece with HTTP ranges (as a whole where the
 * server has none). The names match those of `nodeFiles.ts`.
 */
import { checkedPath, type Folder, type RandomAccessFile } from "../checkpoint/source.js";
import { FileError } from "../errors.js";

declare const location: { readonly href: string } | undefined;

/** A file of a picked folder knows its path there; the folder's own name comes first. */
type PickedFile = File & { readonly webkitRelativePath?: string };

/** A model folder: its address, or the files of a picked folder (`<input webkitdirectory>`). */
export type FolderSource = string | URL | readonly File[];

/** @throws FileError when an address cannot be read. */
export function openFile(source: string | URL | File): Promise<RandomAccessFile> {
  return source instanceof File
    ? Promise.resolve(blobFile(source, source.name))
    : openAddress(new URL(source, baseAddress()));
}

export function openFolder(source: FolderSource): Promise<Folder> {
  return Promise.resolve(
    typeof source === "string" || source instanceof URL ? addressFolder(source) : pickedFolder(source),
  );
}

function baseAddress(): string | undefined {
  return typeof location === "undefined" ? undefined : location.href;
}

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

function pickedFolder(files: readonly PickedFile[]): Folder {
  const parts = (file: PickedFile | undefined) => (file?.webkitRelativePath ?? "").split("/");
  const name = parts(files[0])[0] || "the picked folder";
  const byPath = new Map(files.map((file) => [parts(file).slice(1).join("/") || file.name, file]));
  return {
    name,
    has: async (path) => byPath.has(checkedPath(path, name)),
    async open(path) {
      const file = byPath.get(checkedPath(path, name));
      if (!file) throw new FileError(`${name}/${path}: no such file`);
      return blobFile(file, `${name}/${path}`);
    },
  };
}

function addressFolder(source: string | URL): Folder {
  const base = new URL(source, baseAddress());
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const address = (path: string) =>
    new URL(checkedPath(path, base.href).split("/").map(encodeURIComponent).join("/"), base);
  return {
    name: base.href,
    async has(path) {
      const response = await request(address(path), { method: "HEAD" });
      return response.ok;
    },
    open: async (path) => openAddress(address(path)),
  };
}

/** A folder whose few files lie at addresses of their own. */
export function namedAddresses(name: string, files: Readonly<Record<string, () => URL>>): Folder {
  return {
    name,
    has: async (path) => Object.hasOwn(files, path),
    async open(path) {
      const address = Object.hasOwn(files, path) ? files[path] : undefined;
      if (!address) throw new FileError(`${name}: there is no ${path}`);
      let url: URL;
      try {
        url = address();
      } catch (error) {
        throw new FileError(`${name}: a bundle without import.meta.url cannot find ${path}; give their address`, {
          cause: error,
        });
      }
      return openAddress(url);
    },
  };
}

/** Asks for the first byte: a server that knows ranges answers 206 and tells the size, another sends everything. */
async function openAddress(address: URL): Promise<RandomAccessFile> {
  const response = await requestOk(address, { headers: { Range: "bytes=0-0" } });
  if (response.status !== 206) return blobFile(await response.blob(), address.href);
  await response.arrayBuffer();
  const size = Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1]);
  // Another origin's server shows this header only if it says so (Access-Control-Expose-Headers), and the byte alone is no file.
  if (!Number.isSafeInteger(size)) return blobFile(await (await requestOk(address, {})).blob(), address.href);
  return {
    name: address.href,
    size,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0) || offset + length > size) {
        throw new FileError(`${address.href}: bytes ${offset} .. ${offset + length} were asked for, it has ${size}`);
      }
      if (length === 0) return new Uint8Array(0);
      const part = await request(address, { headers: { Range: `bytes=${offset}-${offset + length - 1}` } });
      const bytes = part.status === 206 ? new Uint8Array(await part.arrayBuffer()) : new Uint8Array(0);
      if (bytes.length !== length || !part.headers.get("Content-Range")?.endsWith(`/${size}`)) {
        throw new FileError(
          `${address.href}: bytes ${offset} .. ${offset + length} did not come (status ${part.status}); was it changed?`,
        );
      }
      return bytes;
    },
    close: async () => undefined,
  };
}

async function requestOk(address: URL, init: RequestInit): Promise<Response> {
  const response = await request(address, init);
  if (response.ok) return response;
  await response.body?.cancel();
  throw new FileError(`${address.href}: the server answers ${response.status} ${response.statusText}`);
}

async function request(address: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (error) {
    throw new FileError(`${address.href}: not reachable (${error instanceof Error ? error.message : error})`, {
      cause: error,
    });
  }
}
