/**
 * The software GPU that comes with the package: SwiftShader, inside the optional dependency `@sparticuz/chromium`. It is unpacked
 * once into a cache folder, together with a Vulkan loader for machines that have none.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { constants, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { brotliDecompressSync } from "node:zlib";
import envPaths from "env-paths";
import { extract } from "tar-stream";

const PACKAGE = "@sparticuz/chromium";
const MANIFEST = "vk_swiftshader_icd.json";
const LOADER = "libvulkan.so.1";

/** glibc's RTLD_NODELETE: the library stays loaded when Node closes it, which it does because it is no addon. */
const RTLD_NODELETE = 0x1000;

type Driver = { readonly path: string; readonly reason?: never } | { readonly path?: never; readonly reason: string };

/** The manifest of the unpacked driver, with a Vulkan loader in the process; or why there is none. */
export async function bundledDriver(): Promise<Driver> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    return { reason: `the bundled software driver is for linux-x64, this is ${process.platform}-${process.arch}` };
  }
  let archive: string;
  let version: string;
  try {
    const require = createRequire(import.meta.url);
    const entry = require.resolve(PACKAGE);
    const root = entry.slice(0, entry.lastIndexOf(PACKAGE) + PACKAGE.length);
    archive = join(root, "bin", "swiftshader.tar.br");
    version = (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
  } catch {
    return { reason: `the optional package ${PACKAGE} is not installed` };
  }
  const refused: string[] = [];
  for (const folder of homes(version)) {
    try {
      if (!isReady(folder)) await unpack(archive, folder);
    } catch (error) {
      refused.push(`${folder} (${error instanceof Error ? error.message : String(error)})`);
      continue;
    }
    provideLoader(join(folder, LOADER));
    return { path: join(folder, MANIFEST) };
  }
  return { reason: `could not unpack ${archive} into ${refused.join(" nor into ")}` };
}

/** Where the driver may lie: the user's cache; where that cannot be written, the folder for temporary files. */
function homes(version: string): string[] {
  const name = `swiftshader-${version}`;
  return [
    join(envPaths("cosyvoice", { suffix: "" }).cache, name),
    join(tmpdir(), `cosyvoice-${name}-${process.getuid?.() ?? "user"}`),
  ];
}

/** Whether the driver is there, put there by this user: code of anybody else is not loaded. */
function isReady(folder: string): boolean {
  if (!existsSync(join(folder, MANIFEST))) return false;
  const { uid, mode } = lstatSync(folder);
  return uid === process.getuid?.() && (mode & 0o022) === 0;
}

/** Unpacks into a folder beside the target and renames it, so that a killed process leaves nothing that looks finished. */
async function unpack(archive: string, target: string): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  const partial = mkdtempSync(`${target}-partial-`);
  try {
    const entries = Readable.from([brotliDecompressSync(readFileSync(archive))]).pipe(extract());
    for await (const entry of entries) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      const name = basename(entry.header.name);
      if (name === MANIFEST || name === LOADER || name === "libvk_swiftshader.so") {
        writeFileSync(join(partial, name), Buffer.concat(chunks), { mode: 0o755 });
      }
    }
    try {
      renameSync(partial, target);
    } catch (error) {
      // Another process was faster: its copy is as good as ours.
      if (!isReady(target)) throw error;
    }
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

let loaderProvided = false;

/**
 * Dawn opens "libvulkan.so.1" by name. Where the system has none, loading ours first makes that name resolve to it, since the
 * dynamic linker recognises a library by its soname.
 */
function provideLoader(path: string): void {
  if (loaderProvided) return;
  loaderProvided = true;
  if (!needsLoader()) return;
  try {
    process.dlopen({ exports: {} }, path, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch {
    // Expected: Node finds no addon inside. The library is loaded all the same; if not, Dawn says so.
  }
}

function needsLoader(): boolean {
  const folders = [
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/usr/local/lib",
  ];
  return !folders.some((folder) => existsSync(join(folder, LOADER)));
}
