/**
 * A model ready to be read tensor by tensor: a converted model folder or an official release folder, behind one interface.
 */
import { weightTable } from "../../weights/all.js";
import { checkWeights } from "../../weights/table.js";
import type { Component, Config } from "../config.js";
import { FileError, InputError } from "../errors.js";
import { lazily } from "../lazily.js";
import { MANIFEST, openModelFolder } from "./modelFolder.js";
import type { Parts } from "./parts.js";
import { type Folder, readText } from "./source.js";
import { TensorTable } from "./table.js";
import { type VoiceEntry, voiceEntry } from "./voiceEntry.js";

/** How matrices are kept: whole floats or halves. Vectors, and parts that need the precision, stay whole either way. */
export type WeightDtype = "f32" | "f16";

export interface WeightInfo {
  readonly shape: readonly number[];
  /** The type this tensor has in a model folder of the model's dtype. */
  readonly dtype: "F32" | "F16";
  /** Product of `shape`. */
  readonly elements: number;
}

/** The tensors of one component, by official state-dict name. Nothing is held: every call reads. */
export interface WeightSource {
  readonly component: Component;
  names(): readonly string[];
  has(name: string): boolean;
  /** @throws FileError when there is no such tensor. */
  info(name: string): WeightInfo;
  /** All values as floats. */
  read(name: string): Promise<Float32Array>;
  /** `count` values from element `start` of the row-major tensor. */
  readSlice(name: string, start: number, count: number): Promise<Float32Array>;
  /**
   * The same values as little-endian bytes, 4 or 2 for each, without a detour where the file already holds that type. The
   * bytes start at an offset that is a multiple of 4 in their buffer.
   * @throws FileError when a value is not finite, or does not fit a half.
   */
  readBytes(name: string, dtype: WeightDtype, start: number, count: number): Promise<Uint8Array>;
}

/** The tokenizer's files as text. */
export interface TokenizerFiles {
  readonly vocab: string;
  readonly merges: string;
  readonly config: string;
}

export interface Model {
  /** The folder, for messages. */
  readonly name: string;
  readonly config: Config;
  readonly dtype: WeightDtype;
  /** The parts this folder holds. */
  readonly components: readonly Component[];
  /** @throws FileError when the folder lacks the component. */
  tensors(component: Component): WeightSource;
  /** Voice names in the order of the file. */
  readonly voices: readonly string[];
  /** Why others, which the folder has too, are left out, by name. */
  readonly damaged: ReadonlyMap<string, FileError>;
  /** @throws InputError for an unknown name; the message lists the known ones. */
  voice(name: string): Promise<VoiceEntry>;
  tokenizerFiles(): Promise<TokenizerFiles>;
  /** What opening left out or chose, a line each: a voice that cannot be read, weights that are there twice. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Default: what a model folder holds; "f32" for an official folder. */
  readonly dtype?: WeightDtype;
}

/**
 * Opens a folder that `cosyvoice convert` wrote, or an official release, whose tensors are then converted while being read.
 * Names and shapes of all components are checked here; no weight is read yet.
 * @throws FileError when the folder is neither, or a file in it is missing, damaged or does not fit the others.
 */
export async function openModel(folder: Folder, options: OpenOptions = {}): Promise<Model> {
  if (await folder.has(MANIFEST)) {
    const parts = await openModelFolder(folder);
    if (options.dtype === "f32" && parts.dtype === "f16") {
      await parts.close();
      throw new FileError(`${folder.name}: holds f16 weights; convert the release with --dtype f32 for f32`);
    }
    return modelOf(folder, parts, options.dtype ?? parts.dtype);
  }
  // Of a page's bundle the readers of torch, ONNX and yaml files are half; a converted model needs none of them.
  const { isOfficial, openOfficial } = await lazily("the readers of official releases", () => import("./official.js"));
  if (!(await isOfficial(folder))) {
    throw new FileError(
      `${folder.name}: neither a converted model (no ${MANIFEST}; was its conversion cut short?) nor an official release of CosyVoice2${folder.hint ? `; ${folder.hint}` : ""}`,
    );
  }
  return modelOf(folder, await openOfficial(folder), options.dtype ?? "f32");
}

/** A model over opened parts. @throws FileError listing every tensor that does not fit the config; the parts are closed then. */
export async function modelOf(folder: Folder, parts: Parts, dtype: WeightDtype): Promise<Model> {
  const sources = new Map<Component, WeightSource>();
  try {
    for (const [component, tensors] of parts.components) {
      const source = new TensorTable(component, `${folder.name}: ${component}`, tensors, dtype);
      checkWeights(`${folder.name}: ${component}`, weightTable(component, parts.config), source);
      sources.set(component, source);
    }
  } catch (error) {
    await parts.close();
    throw error;
  }
  return {
    name: folder.name,
    config: parts.config,
    dtype,
    components: [...sources.keys()],
    tensors(component) {
      const source = sources.get(component);
      if (!source)
        throw new FileError(
          `${folder.name}: the model has no ${component}; it holds ${[...sources.keys()].join(", ") || "nothing"}`,
        );
      return source;
    },
    voices: [...parts.voices.keys()],
    damaged: parts.damaged,
    async voice(name) {
      const tensors = parts.voices.get(name);
      if (!tensors) {
        const known = [...parts.voices.keys()].map((voice) => JSON.stringify(voice)).join(", ");
        throw new InputError(
          `voice ${JSON.stringify(name)} is unknown; ${known ? `${folder.name} has ${known}` : `${folder.name} has no voices`}`,
        );
      }
      return voiceEntry(tensors);
    },
    async tokenizerFiles() {
      const { vocab, merges, config } = parts.tokenizer;
      return {
        vocab: await readText(folder, vocab),
        merges: await readText(folder, merges),
        config: await readText(folder, config),
      };
    },
    warnings: parts.warnings,
    close: () => parts.close(),
  };
}
