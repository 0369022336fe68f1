/**
 * Files in a browser: addresses read piece by piece with HTTP ranges (as a whole where the server has none), and what a person picked
 * or dropped. The names match those of `nodeFiles.ts`.
 */
import { checkedPath, type Folder, type RandomAccessFile } from "../checkpoint/source.js";
import { FileError, InputError } from "../errors.js";
import type { ModelSource } from "../modelSource.js";
import { fromBase64 } from "./base64.js";
import { FIRST_BLOCK, inBlocks } from "./blocks.js";
import { blobFile, givenFolder } from "./givenFiles.js";

declare const location: { readonly href: string } | undefined;

/** @throws FileError when an address cannot be read. */
export function openFile(source: string | URL | File): Promise<RandomAccessFile> {
  return source instanceof File ? Promise.resolve(blobFile(source, source.name)) : openAddress(addressOf(source));
}

const OTHERS =
  "the address of a model folder, the files of a picked folder (<input webkitdirectory>) or dropped ones, a FileSystemDirectoryHandle " +
  'or FileSystemDirectoryEntry, or files by their paths, as those of the voice in this package: import { english } from "cosyvoice-webgpu/english"';

/** @throws InputError for anything that is no folder. */
export async function openFolder(source: ModelSource): Promise<Folder> {
  return typeof source === "string" || source instanceof URL
    ? addressFolder(source)
    : givenFolder(source, openAddress, OTHERS);
}

function baseAddress(): string | undefined {
  return typeof location === "undefined" ? undefined : location.href;
}

function addressFolder(source: string | URL): Folder {
  const base = addressOf(source);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const address = (path: string) =>
    new URL(checkedPath(path, base.href).split("/").map(encodeURIComponent).join("/"), base);
  let pages = false;
  return {
    name: base.href,
    async has(path) {
      const response = await request(address(path), { method: "HEAD" });
      pages ||= isPage(response);
      return response.ok && !isPage(response);
    },
    get hint() {
      return pages
        ? "its server answers with a web page where it has no file; is this the model's address?"
        : undefined;
    },
    open: async (path) => openAddress(address(path)),
  };
}

/** @throws InputError for an address that no page can read */
function addressOf(source: string | URL): URL {
  let address: URL;
  try {
    address = new URL(source, baseAddress());
  } catch (error) {
    throw new InputError(`${source}: not an address; give one that begins with https://`, { cause: error });
  }
  if (address.protocol === "file:") {
    throw new InputError(
      `${address.href}: a page cannot read file: addresses; serve the folder over http, or let its files be picked (<input webkitdirectory>)`,
    );
  }
  return address;
}

/** Asks for the first block: a server that knows ranges answers 206 and tells the size, another sends everything. */
async function openAddress(address: URL): Promise<RandomAccessFile> {
  if (address.protocol === "data:") return blobFile(dataOf(address), `${address.href.slice(0, 40)}...`);
  const response = await requestOk(address, { headers: { Range: `bytes=0-${FIRST_BLOCK - 1}` } });
  if (response.status !== 206) return blobFile(await response.blob(), address.href);
  const first = new Uint8Array(await response.arrayBuffer());
  const size = Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1]);
  // Another origin's server shows this header only if it says so (Access-Control-Expose-Headers), and a part alone is no file.
  if (!Number.isSafeInteger(size) || first.length !== Math.min(FIRST_BLOCK, size))
    return blobFile(await (await requestOk(address, {})).blob(), address.href);
  const blocks = inBlocks(size, first, (offset, length) => requestRange(address, size, offset, length));
  return {
    name: address.href,
    size,
    async read(offset, length) {
      if (!(offset >= 0 && length >= 0) || offset + length > size) {
        throw new FileError(`${address.href}: bytes ${offset} .. ${offset + length} were asked for, it has ${size}`);
      }
      return blocks.read(offset, length);
    },
    close: async () => blocks.clear(),
  };
}

/** Exactly these bytes of a file of this size. */
async function requestRange(address: URL, size: number, offset: number, length: number): Promise<Uint8Array> {
  const part = await request(address, { headers: { Range: `bytes=${offset}-${offset + length - 1}` } });
  const bytes = part.status === 206 ? new Uint8Array(await part.arrayBuffer()) : new Uint8Array(0);
  if (bytes.length !== length || !part.headers.get("Content-Range")?.endsWith(`/${size}`)) {
    throw new FileError(
      `${address.href}: bytes ${offset} .. ${offset + length} did not come (status ${part.status}); was it changed?`,
    );
  }
  return bytes;
}

async function requestOk(address: URL, init: RequestInit): Promise<Response> {
  const response = await request(address, init);
  if (response.ok && !isPage(response)) return response;
  await response.body?.cancel();
  const answer = response.ok
    ? "the server answers with a web page, as many do where they have no such file"
    : `the server answers ${response.status} ${response.statusText}`;
  throw new FileError(`${address.href}: ${answer}${wayOut(address)}`);
}

/** No file of a model or grammar is HTML: it is what servers of one-page sites answer to every unknown address. */
function isPage(response: Response): boolean {
  return response.headers.get("Content-Type")?.startsWith("text/html") ?? false;
}

/** For files of this package, which a bundler should have copied. */
function wayOut({ pathname }: URL): string {
  return /\/weights\/english\//.test(pathname)
    ? '; the bundler left the voice out: serve a copy of node_modules/cosyvoice-webgpu/weights/english and give CosyVoice.load its address (Vite 7 in development needs optimizeDeps: { exclude: ["cosyvoice-webgpu/english"] })'
    : "";
}

async function request(address: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(address, init);
  } catch (error) {
    const here = baseAddress();
    const foreign =
      here !== undefined && new URL(here).origin !== address.origin
        ? `: it is down, or does not allow pages of ${new URL(here).origin} (Access-Control-Allow-Origin)`
        : "";
    throw new FileError(
      `${address.href}: not reachable (${error instanceof Error ? error.message : error})${foreign}`,
      { cause: error },
    );
  }
}

/** The content of a data: address, which bundlers make of small files; a page's policy may forbid to fetch it. */
function dataOf({ href }: URL): Blob {
  const comma = href.indexOf(",");
  const body = decodeURIComponent(href.slice(comma + 1));
  return new Blob([href.slice(0, comma).endsWith(";base64") ? fromBase64(body) : body]);
}
