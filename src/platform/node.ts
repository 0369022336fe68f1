/**
 * The GPU as Node sees it: Dawn from npm `webgpu`. Order of choice: a hardware GPU, a system software driver that Dawn accepts,
 * the software driver that comes with the package. With no GPU and no driver installed at all, the last one always works.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, globals } from "webgpu";
import type { Folder } from "../checkpoint/source.js";
import { DeviceError, InputError } from "../errors.js";
import type { FoundAdapter } from "../gpu/device.js";
import type { ModelSource } from "../modelSource.js";
import { adapterName } from "./adapterName.js";
import { givenFolder } from "./givenFiles.js";
import { openFile, openFolder as openPath } from "./nodeFiles.js";
import { bundledDriver } from "./swiftshader.js";
import { driverManifests, mayHaveDrivers } from "./vulkanDrivers.js";

Object.assign(globalThis, globals);

const OTHERS =
  "the path of a model folder or its file: address (an address of the web is for pages: download the folder first), or files by their paths";

/** A folder by its path or file: address, or of files that the program holds. @throws FileError when there is none. */
export async function openFolder(source: ModelSource): Promise<Folder> {
  if (source instanceof URL || (typeof source === "string" && /^(https?|file):/.test(source)))
    return openPath(pathOf(source));
  if (typeof source === "string") return openPath(source);
  return givenFolder(source, (address) => openFile(pathOf(address)), OTHERS);
}

function pathOf(address: string | URL): string {
  const url = new URL(address);
  if (url.protocol !== "file:")
    throw new InputError(`a model cannot be opened from ${url.href} in Node; give ${OTHERS}`);
  return fileURLToPath(url);
}

const root = () => dirname(createRequire(import.meta.url).resolve("cosyvoice-webgpu/package.json"));

/** The English voice in this package. */
export function packagedVoice(): string {
  return join(root(), "weights", "english");
}

/** The folder of the text normaliser's grammars, in this package. */
export function openGrammars(): Promise<Folder> {
  return openPath(join(root(), "weights", "wetext"));
}

/** Dawn hides f16 on NVIDIA's Vulkan unless told otherwise; the self-test of `doctor` proves that it computes rightly. */
const HARDWARE = ["enable-dawn-features=vulkan_enable_f16_on_nvidia"];

/**
 * Dawn guards every access to a buffer and zeroes workgroup memory, for pages that nobody trusts. SwiftShader pays for both in every
 * thread (products take twice as long, attention takes five times as long to compile), and our shaders need neither. lavapipe compiles
 * faster with the guards.
 */
const SWIFTSHADER = ["enable-dawn-features=disable_robustness,disable_workgroup_init"];

/** By driver and device. An instance must outlive its adapters, or Dawn frees them under us. */
const instances = new Map<string, GPU>();

/** One place an adapter may come from. */
export interface AdapterSource {
  /** What `--adapter` calls it; hardware GPUs also answer to their own names. */
  readonly name: "hardware" | "lavapipe" | "swiftshader";
  /** The best one. */
  readonly find: () => Promise<FoundAdapter | string>;
  /** The others. */
  readonly more?: (best: FoundAdapter) => Promise<FoundAdapter[]>;
}

const SOURCES: readonly AdapterSource[] = [
  { name: "hardware", find: findHardware, more: moreHardware },
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
    if (typeof found === "string") reports.push({ name: source.name, reason: found });
    else {
      const all = [found, ...((await source.more?.(found)) ?? [])];
      reports.push(...all.map((one) => ({ name: one.description.name, found: one })));
    }
  }
  return reports;
}

/**
 * Finds the adapter of a name (a source's name, or part of a GPU's own name), or the best there is. Without a name, or with an
 * empty one, `COSYVOICE_ADAPTER` is asked for.
 * @throws DeviceError naming what was tried and why each was refused.
 */
export async function findAdapter(name?: string): Promise<FoundAdapter> {
  const refused: string[] = [];
  const asked = name || process.env.COSYVOICE_ADAPTER || undefined;
  const wanted = asked?.toLowerCase();
  const isSource = SOURCES.some((source) => source.name === wanted);
  for (const source of SOURCES) {
    const byName = wanted === undefined || source.name === wanted;
    // A name that is no source's can only be that of a hardware GPU.
    if (!byName && (isSource || source.name !== "hardware")) continue;
    const found = await source.find();
    if (typeof found === "string") {
      refused.push(`${source.name}: ${found}`);
      continue;
    }
    if (byName || found.description.name.includes(wanted)) return found;
    const others = (await source.more?.(found)) ?? [];
    const other = others.find(({ description }) => description.name.includes(wanted));
    if (other) return other;
    for (const { description } of [found, ...others]) refused.push(`${description.name}: not what was asked for`);
  }
  const none = asked === undefined ? "no GPU adapter was found" : `no GPU adapter is called "${asked}"`;
  throw new DeviceError(`${none} (${refused.join("; ")}); run "cosyvoice doctor" to see the adapters of this machine`);
}

/** The end of the last request: while one runs, the environment is its own. */
let turn: Promise<unknown> = Promise.resolve();

/** Asks Dawn for an adapter in turn, with the Vulkan loader pointed at one driver manifest or at the system's own. */
function inTurn<T>(manifest: string | undefined, ask: () => Promise<T>): Promise<T | string> {
  const result = turn.then(async () => {
    const before = process.env.VK_DRIVER_FILES;
    if (manifest !== undefined) process.env.VK_DRIVER_FILES = manifest;
    try {
      return await ask();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      if (before === undefined) delete process.env.VK_DRIVER_FILES;
      else process.env.VK_DRIVER_FILES = before;
    }
  });
  turn = result;
  return result;
}

/** @param device part of the name that the driver gives it; default: the one that Dawn puts first */
function request(
  kind: AdapterSource["name"],
  { manifest, device: only }: { readonly manifest?: string; readonly device?: string } = {},
): Promise<FoundAdapter | string> {
  return inTurn(manifest, async () => {
    const key = JSON.stringify([manifest, only]);
    const toggles = { hardware: HARDWARE, lavapipe: [], swiftshader: SWIFTSHADER }[kind];
    const gpu = instances.get(key) ?? create([...toggles, ...(only === undefined ? [] : [`adapter=${only}`])]);
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter)
      return manifest === undefined ? "no driver that Dawn accepts" : `Dawn refuses the driver of ${manifest}`;
    const { vendor, architecture, device, description } = adapter.info;
    const software =
      adapter.info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe/i.test(`${device} ${description}`);
    if (kind === "hardware" && software) return "only software drivers are installed";
    instances.set(key, gpu);
    const name = kind === "hardware" ? adapterName(adapter.info) : kind;
    return { adapter, description: { name, vendor, architecture, description: description || device, software } };
  });
}

/**
 * The hardware GPUs behind the first. WebGPU has no list of adapters; Dawn gives the names in its refusal of one that no GPU has,
 * and lets one be chosen by name. Of several GPUs of one name it gives the first.
 */
async function moreHardware(best: FoundAdapter): Promise<FoundAdapter[]> {
  const refusal = await inTurn(undefined, async () => {
    await create([...HARDWARE, "adapter=?"]).requestAdapter();
    return "";
  });
  const devices = new Set(Array.from(refusal.matchAll(/^ \* backend: '.*', name: '(.*)'$/gm), ([, name = ""]) => name));
  const found = new Map([[best.description.name, best]]);
  for (const device of devices) {
    const one = await request("hardware", { device });
    if (typeof one !== "string" && !found.has(one.description.name)) found.set(one.description.name, one);
  }
  return [...found.values()].slice(1);
}

async function findHardware(): Promise<FoundAdapter | string> {
  return mayHaveDrivers() ? request("hardware") : "no Vulkan driver is installed";
}

/** How the names of driver manifests call the processors that Node names. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "x86_64", ia32: "i686", arm64: "aarch64" };

async function findLavapipe(): Promise<FoundAdapter | string> {
  const manifests = driverManifests().filter((path) => /lvp_icd.*\.json$/.test(path));
  // A system for two kinds of processor has a driver for each: lvp_icd.i686.json beside lvp_icd.x86_64.json.
  const manifest =
    manifests.find((path) => path.endsWith(`lvp_icd.${ARCHITECTURES[process.arch]}.json`)) ??
    manifests.find((path) => path.endsWith("lvp_icd.json")) ??
    manifests[0];
  return manifest === undefined
    ? "not installed (Debian: mesa-vulkan-drivers of bookworm-backports or newer)"
    : request("lavapipe", { manifest });
}

async function findSwiftShader(): Promise<FoundAdapter | string> {
  const manifest = await bundledDriver();
  return manifest.path === undefined ? manifest.reason : request("swiftshader", { manifest: manifest.path });
}
