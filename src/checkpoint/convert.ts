/**
 * An official release to a model folder, front to back, one slice of one tensor in memory at a time.
 */
import type { Component } from "../config.js";
import { CancelledError } from "../errors.js";
import { bytesOf } from "./dtype.js";
import { FORMAT } from "./format.js";
import { type Model, modelOf, type WeightDtype, type WeightSource } from "./model.js";
import {
  CONFIG,
  componentFile,
  type FileRecord,
  MANIFEST,
  type Manifest,
  TOKENIZER_FILES,
  VOICES_FILE,
} from "./modelFolder.js";
import { lacking, OFFICIAL_FILES, type OfficialParts, openOfficial, TOKENIZER } from "./official.js";
import { type PlannedTensor, safetensorsHeader } from "./safetensors.js";
import type { Folder, Hasher, OutputFolder } from "./source.js";
import { SLICE } from "./tensor.js";

export interface ConvertOptions {
  /** Default "f32". */
  readonly dtype?: WeightDtype;
  /** Default: lm, flow and vocoder, which must be there, and the others where they are. */
  readonly components?: readonly Component[];
  /** Version of the program, for the manifest. */
  readonly version: string;
  readonly createHasher: () => Hasher;
  /** What else must hold of the model, checked before anything is written. */
  readonly check?: (model: Model) => Promise<void>;
  /** Gets a line for all that is left out, and for what is missing and was not asked for by name. */
  readonly onWarning?: (warning: string) => void;
  readonly onProgress?: (progress: ConvertProgress) => void;
  readonly signal?: AbortSignal;
}

export interface ConvertProgress {
  /** The file being read or written. */
  readonly file: string;
  /** Bytes read for hashing and written so far, and in all. */
  readonly done: number;
  readonly total: number;
}

const REQUIRED: readonly Component[] = ["lm", "flow", "vocoder"];
const OPTIONAL: readonly Component[] = ["speechTokenizer", "speaker"];

/** Bytes hashed at a time. */
const CHUNK = 1 << 22;

/**
 * Writes the model folder and gives it its name; on any failure what was written is removed.
 * @throws FileError for a bad source or a failed write, CancelledError when the signal fires.
 */
export async function convert(source: Folder, output: OutputFolder, options: ConvertOptions): Promise<Manifest> {
  try {
    const components = options.components ?? (await defaultComponents(source));
    const parts = await openOfficial(source, components);
    const model = await modelOf(source, parts, options.dtype ?? "f32");
    try {
      await options.check?.(model);
      const warnings = [...parts.warnings, ...(options.components ? [] : await lacking(source, parts))];
      for (const warning of warnings) options.onWarning?.(warning);
      const manifest = await new Conversion(source, output, model, parts, options).run();
      await output.commit();
      return manifest;
    } finally {
      await model.close();
    }
  } catch (error) {
    await output.discard();
    throw error;
  }
}

async function defaultComponents(source: Folder): Promise<Component[]> {
  const components = [...REQUIRED];
  for (const component of OPTIONAL) if (await source.has(OFFICIAL_FILES[component])) components.push(component);
  return components;
}

class Conversion {
  private done = 0;
  private total = 0;
  private readonly files: Record<string, FileRecord> = {};
  private readonly source: Record<string, FileRecord> = {};

  constructor(
    private readonly from: Folder,
    private readonly to: OutputFolder,
    private readonly model: Model,
    private readonly parts: OfficialParts,
    private readonly options: ConvertOptions,
  ) {}

  async run(): Promise<Manifest> {
    const { model } = this;
    const inputs = await this.inputs();
    this.total = inputs.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const component of model.components) this.total += plan(model.tensors(component)).bytes;
    for (const { path } of inputs) this.source[path] = await this.hashInput(path);
    for (const component of model.components) await this.writeComponent(component);
    if (model.voices.length > 0) await this.writeVoices();
    await this.copyTokenizer();
    await this.write(CONFIG, [json(model.config)]);
    const manifest: Manifest = {
      format: FORMAT,
      version: this.options.version,
      dtype: model.dtype,
      components: model.components,
      files: this.files,
      source: this.source,
    };
    await this.write(MANIFEST, [json(manifest)]);
    return manifest;
  }

  /** The official files that matter and their sizes. */
  private async inputs(): Promise<{ path: string; bytes: number }[]> {
    const inputs: { path: string; bytes: number }[] = [];
    for (const path of this.parts.inputs) {
      if (!(await this.from.has(path))) continue;
      const file = await this.from.open(path);
      inputs.push({ path, bytes: file.size });
      await file.close();
    }
    return inputs;
  }

  private async hashInput(path: string): Promise<FileRecord> {
    const file = await this.from.open(path);
    try {
      const hasher = this.options.createHasher();
      for (let at = 0; at < file.size; at += CHUNK) {
        const bytes = await file.read(at, Math.min(CHUNK, file.size - at));
        hasher.update(bytes);
        this.advance(path, bytes.length);
      }
      return { bytes: file.size, sha256: hasher.digest() };
    } finally {
      await file.close();
    }
  }

  private async writeComponent(component: Component): Promise<void> {
    const source = this.model.tensors(component);
    const { tensors } = plan(source);
    const file = componentFile(component);
    const header = safetensorsHeader(tensors, { format: FORMAT, component });
    const slices = async function* (advance: (bytes: number) => void): AsyncGenerator<Uint8Array> {
      yield header;
      for (const { name, type } of tensors) {
        const { elements } = source.info(name);
        for (let at = 0; at < elements; at += SLICE) {
          const bytes = await source.readBytes(
            name,
            type === "F16" ? "f16" : "f32",
            at,
            Math.min(SLICE, elements - at),
          );
          yield bytes;
          advance(bytes.length);
        }
      }
    };
    await this.write(
      file,
      slices((bytes) => this.advance(file, bytes)),
    );
  }

  /** Small enough to hold: an embedding, or a prompt of at most 30 s, for each voice. */
  private async writeVoices(): Promise<void> {
    const { voices } = this.model;
    const tensors: (PlannedTensor & { readonly bytes: Uint8Array })[] = [];
    for (const voice of voices) {
      for (const [key, { shape, data }] of Object.entries(await this.model.voice(voice))) {
        const type = data instanceof Int32Array ? "I32" : "F32";
        tensors.push({ name: `${voice}/${key}`, shape, type, bytes: bytesOf(data) });
      }
    }
    const header = safetensorsHeader(tensors, { format: FORMAT, voices: JSON.stringify(voices) });
    await this.write(VOICES_FILE, [header, ...tensors.map(({ bytes }) => bytes)]);
  }

  private async copyTokenizer(): Promise<void> {
    for (const key of ["vocab", "merges", "config"] as const) {
      const file = await this.from.open(TOKENIZER[key]);
      try {
        await this.write(TOKENIZER_FILES[key], [await file.read(0, file.size)]);
      } finally {
        await file.close();
      }
    }
  }

  private async write(path: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const hasher = this.options.createHasher();
    const file = await this.to.create(path);
    let bytes = 0;
    try {
      for await (const piece of pieces) {
        hasher.update(piece);
        await file.write(piece);
        bytes += piece.length;
      }
    } finally {
      await file.close();
    }
    if (path !== MANIFEST) this.files[path] = { bytes, sha256: hasher.digest() };
  }

  private advance(file: string, bytes: number): void {
    if (this.options.signal?.aborted) throw new CancelledError("conversion cancelled; nothing was left behind");
    this.done += bytes;
    this.options.onProgress?.({ file, done: this.done, total: this.total });
  }
}

/** The tensors of a component in file order: wide elements first, so that all are aligned. */
function plan(source: WeightSource): { tensors: PlannedTensor[]; bytes: number } {
  const tensors = source.names().map((name): PlannedTensor => {
    const { shape, dtype } = source.info(name);
    return { name, shape, type: dtype };
  });
  const ordered = [...tensors.filter(({ type }) => type === "F32"), ...tensors.filter(({ type }) => type === "F16")];
  const bytes = ordered.reduce((sum, { name, type }) => sum + source.info(name).elements * (type === "F16" ? 2 : 4), 0);
  return { tensors: ordered, bytes };
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}
