/**
 * A converted model folder: its names, its manifest, and opening it.
 *
 *     config.json             sizes, rates and constants (`Config`)
 *     lm.safetensors ...      one per component
 *     voices.safetensors      tensors "<voice>/<key>"; metadata "voices" lists the names
 *     tokenizer/              vocab.json, merges.txt, tokenizer_config.json
 *     manifest.json           written last: what went in and out, with SHA-256
 */
import { COMPONENTS, type Component } from "../config.js";
import { FileError } from "../errors.js";
import { readKind, wrongKind } from "./fileKind.js";
import { FORMAT } from "./format.js";
import { Lookup } from "./lookup.js";
import type { WeightDtype } from "./model.js";
import { parseConfig } from "./parseConfig.js";
import { OpenFiles, type Parts } from "./parts.js";
import { printable } from "./printable.js";
import { openSafetensors, type SafetensorsFile } from "./safetensors.js";
import { type Folder, readJson } from "./source.js";
import type { LazyTensor } from "./tensor.js";

export const MANIFEST = "manifest.json";
export const CONFIG = "config.json";
export const VOICES_FILE = "voices.safetensors";
export const TOKENIZER_FILES = {
  vocab: "tokenizer/vocab.json",
  merges: "tokenizer/merges.txt",
  config: "tokenizer/tokenizer_config.json",
} as const;

export function componentFile(component: Component): string {
  return `${component}.safetensors`;
}

/** Names a conversion writes at the top of a model folder. */
export const TOP_LEVEL: ReadonlySet<string> = new Set([
  MANIFEST,
  CONFIG,
  VOICES_FILE,
  "tokenizer",
  ...COMPONENTS.map(componentFile),
]);

export interface FileRecord {
  readonly bytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** `manifest.json` */
export interface Manifest {
  readonly format: typeof FORMAT;
  /** Version of the program that converted. */
  readonly version: string;
  readonly dtype: WeightDtype;
  readonly components: readonly Component[];
  /** Every file of the folder but the manifest. */
  readonly files: Readonly<Record<string, FileRecord>>;
  /** The official files they were made from. */
  readonly source: Readonly<Record<string, FileRecord>>;
}

/** What opening needs of a manifest. */
export interface ManifestFacts {
  readonly dtype: WeightDtype;
  /** Bytes of each file. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** @throws FileError when it is not one of this format. */
export async function readManifest(folder: Folder): Promise<ManifestFacts> {
  const manifest = new Lookup(`${folder.name}/${MANIFEST}`, await readJson(folder, MANIFEST));
  if (manifest.at("format") !== FORMAT)
    throw manifest.error("format", manifest.at("format"), `"${FORMAT}"; convert the model again`);
  const dtype = manifest.at("dtype");
  if (dtype !== "f32" && dtype !== "f16") throw manifest.error("dtype", dtype, '"f32" or "f16"');
  const sizes = new Map<string, number>();
  for (const [path, record] of Object.entries(manifest.at("files") ?? {}))
    sizes.set(path, new Lookup(manifest.name, record).number("bytes"));
  return { dtype, sizes };
}

/** @throws FileError when a file is missing, damaged, or not the one that was written. */
export async function openModelFolder(folder: Folder): Promise<Parts & { readonly dtype: WeightDtype }> {
  const files = new OpenFiles();
  return files.guard(async () => {
    const { dtype, sizes } = await readManifest(folder);
    const config = parseConfig(new Lookup(`${folder.name}/${CONFIG}`, await readJson(folder, CONFIG)));
    const components = new Map<Component, ReadonlyMap<string, LazyTensor>>();
    const open = async (path: string) => {
      const file = files.add(await folder.open(path));
      const kind = await readKind(file);
      if (kind?.family === "page") throw wrongKind(file.name, kind, "a safetensors file");
      if (sizes.get(path) !== file.size) {
        throw new FileError(
          `${file.name}: ${file.size} bytes, ${MANIFEST} says ${sizes.get(path)}; convert or download the model again`,
        );
      }
      return openSafetensors(file);
    };
    for (const component of COMPONENTS) {
      if (config[component]) components.set(component, (await open(componentFile(component))).tensors);
    }
    const voices = (await folder.has(VOICES_FILE)) ? voiceTensors(await open(VOICES_FILE)) : new Map();
    return {
      config,
      components,
      voices,
      tokenizer: TOKENIZER_FILES,
      warnings: [],
      damaged: new Map(),
      dtype,
      close: () => files.close(),
    };
  });
}

/** "<voice>/<key>" by voice, in the order that the metadata lists; a key has no "/", a voice may. */
function voiceTensors(file: SafetensorsFile): Map<string, Map<string, LazyTensor>> {
  const voices = new Map<string, Map<string, LazyTensor>>();
  for (const name of listedVoices(file)) voices.set(name, new Map());
  for (const [name, tensor] of file.tensors) {
    const slash = name.lastIndexOf("/");
    const voice = voices.get(name.slice(0, slash));
    if (slash < 0 || !voice) throw new FileError(`${file.name}: tensor "${printable(name)}" belongs to no voice`);
    voice.set(name.slice(slash + 1), tensor);
  }
  return voices;
}

function listedVoices(file: SafetensorsFile): string[] {
  let names: unknown;
  try {
    names = JSON.parse(file.metadata.get("voices") ?? "");
  } catch {
    names = undefined;
  }
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) {
    throw new FileError(`${file.name}: its metadata does not list the voices`);
  }
  return names;
}
