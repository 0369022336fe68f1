/**
 * The GPU as Node sees it: Dawn from npm `webgpu`. Order of choice: a hardware GPU, a system software driver that Dawn accepts,
 * the software driver that comes with the package. With no GPU and no driver installed at all, the last one always works.
 */
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, globals } from "webgpu";
import type { Folder } from "../checkpoint/source.js";
import { DeviceError, InputError } from "../errors.js";
import type { FoundAdapter } from "../gpu/device.js";
import type { FolderSource } from "./browserFiles.js";
import { openFolder as openPath } from "./nodeFiles.js";
import { bundledDriver } from "./swiftshader.js";

Object.assign(globalThis, globals);

export type { FolderSource } from "./browserFiles.js";

/** A folder by its path or file: address. @throws FileError when there is none. */
export function openFolder(source: FolderSource): Promise<Folder> {
  if (typeof source === "string") return openPath(source);
  if (source instanceof URL && source.protocol === "file:") return openPath(fileURLToPath(source));
  throw new InputError("in Node a folder is named by its path");
}

/** The folder of the text normaliser's grammars, in this package. */
export function openGrammars(): Promise<Folder> {
  const root = dirname(createRequire(import.meta.url).resolve("cosyvoice-webgpu/package.json"));
  return openPath(join(root, "weights", "wetext"));
}

/** Where Linux keeps the manifests of Vulkan drivers. */
const DRIVER_FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/** Dawn hides f16 on NVIDIA's Vulkan unless told otherwise; the self-test of `doctor` proves that it computes rightly. */
const TOGGLES = ["enable-dawn-features=vulkan_enable_f16_on_nvidia"];

/** The instance must outlive its adapters, or Dawn frees them under us. */
const instances: GPU[] = [];

/** One place an adapter may come from. */
export interface AdapterSource {
  /** What `--adapter` calls it; the first hardware GPU also answers to its own name. */
  readonly name: "hardware" | "lavapipe" | "swiftshader";
  readonly find: () => Promise<FoundAdapter | string>;
}

const SOURCES: readonly AdapterSource[] = [
  { name: "hardware", find: () => request("hardware", undefined) },
  { name: "lavapipe", find: findLavapipe },
  { name: "swiftshader", find: findSwiftShader },
];

/** An adapter that could be had, or why not. */
export type AdapterReport = { readonly name: string; readonly found?: FoundAdapter; readonly reason?: string };

/** Tries every source; for `doctor` and for tests that sweep adapters. */
export async function listAdapters(): Promise<AdapterReport[]> {
  const reports: AdapterReport[] = [];
  for (const source of SOURCES) {
    const found = await source.find();
    reports.push(
      typeof found === "string" ? { name: source.name, reason: found } : { name: found.description.name, found },
    );
  }
  return reports;
}

/**
 * Finds the adapter of a name (a source's name, or part of the GPU's own name), or the best there is.
 * @throws DeviceError naming what was tried and why each was refused.
 */
export async function findAdapter(name: string | undefined = process.env.COSYVOICE_ADAPTER): Promise<FoundAdapter> {
  const refused: string[] = [];
  const wanted = name?.toLowerCase();
  const isSource = SOURCES.some((source) => source.name === wanted);
  for (const source of SOURCES) {
    const byName = wanted === undefined || source.name === wanted;
    // A name that is no source's can only be that of a hardware GPU.
    if (!byName && (isSource || source.name !== "hardware")) continue;
    const found = await source.find();
    if (typeof found === "string") refused.push(`${source.name}: ${found}`);
    else if (byName || found.description.name.includes(wanted ?? "")) return found;
    else refused.push(`${found.description.name}: not what was asked for`);
  }
  const asked = name === undefined ? "no GPU adapter was found" : `no GPU adapter is called "${name}"`;
  throw new DeviceError(`${asked} (${refused.join("; ")}); run "cosyvoice doctor" to see the adapters of this machine`);
}

/** Asks Dawn for an adapter, with the Vulkan loader pointed at one driver manifest or at the system's own. */
async function request(kind: AdapterSource["name"], manifest: string | undefined): Promise<FoundAdapter | string> {
  const before = process.env.VK_DRIVER_FILES;
  if (manifest !== undefined) process.env.VK_DRIVER_FILES = manifest;
  try {
    const gpu = create(TOGGLES);
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter)
      return manifest === undefined ? "no driver that Dawn accepts" : `Dawn refuses the driver of ${manifest}`;
    const { vendor, architecture, device, description } = adapter.info;
    const software =
      adapter.info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${device} ${description}`);
    if (kind === "hardware" && software) return "only software drivers are installed";
    instances.push(gpu);
    const own = `${vendor} ${device || architecture || description}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    const name = kind === "hardware" ? own.replace(/^-|-$/g, "") : kind;
    return { adapter, description: { name, vendor, architecture, description: description || device, software } };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (manifest !== undefined) {
      if (before === undefined) delete process.env.VK_DRIVER_FILES;
      else process.env.VK_DRIVER_FILES = before;
    }
  }
}

async function findLavapipe(): Promise<FoundAdapter | string> {
  const folder = DRIVER_FOLDERS.filter((path) => existsSync(path));
  const manifests = folder.flatMap((path) => readdirSync(path).map((file) => join(path, file)));
  const manifest = manifests.find((path) => /lvp_icd.*\.json$/.test(path));
  return manifest === undefined
    ? "not installed (Debian: mesa-vulkan-drivers of bookworm-backports or newer)"
    : request("lavapipe", manifest);
}

async function findSwiftShader(): Promise<FoundAdapter | string> {
  const manifest = await bundledDriver();
  return manifest.path === undefined ? manifest.reason : request("swiftshader", manifest.path);
}
