/**
 * What a batch has made so far: `results.json` beside the WAV files. Every item that is done carries a hash of all it was made from,
 * so that the same command, run again, makes only what is missing or has changed.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { asFileError } from "../platform/nodeFiles.js";
import type { Stop } from "../speech.js";
import { atomicWrite } from "./atomicWrite.js";
import type { Candidate, Item } from "./batchJobs.js";
import { readTextFile } from "./textInput.js";
import { isVoiceFile } from "./voiceOptions.js";

/** What an item was, and what came of it. */
export interface Result extends Pick<Item, "file" | "speaker" | "mode" | "text" | "instruct"> {
  /** Hash of the text, the voice, the model and the options. */
  readonly inputs: string;
  /** Why there is no WAV; the other facts are there when this is not. */
  readonly failed?: string;
  readonly voice?: string;
  readonly seconds?: number;
  readonly tokens?: number;
  readonly stop?: Stop;
  readonly realTimeFactor?: number;
  readonly warnings?: readonly string[];
  /** Length of the WAV file. */
  readonly bytes?: number;
}

/** Everything but an item itself that its sound depends on. */
export interface Settings {
  readonly model: string;
  readonly adapter: string | undefined;
  readonly dtype: string | undefined;
  readonly normalize: string;
  readonly compat: string | undefined;
  readonly seed: number;
  readonly speed: number;
}

const RESULTS = "results.json";

/** Bytes; what is kept of ten thousand items may be several times as long as their texts. */
const MAX_BYTES = 1 << 28;

/** Seconds of work that may be lost; the file is written whole, and after each of many short items would be gigabytes. */
const WRITE_SECONDS = 30;

export class Results {
  private readonly done = new Map<string, Result>();
  /** When the file was last written. */
  private written = 0;

  private constructor(
    private readonly folder: string,
    private readonly jobs: string,
    private readonly settings: Settings,
    private readonly items: readonly Item[],
    private readonly inputs: ReadonlyMap<string, string>,
  ) {}

  /**
   * Finds what earlier runs have made of the same inputs.
   * @throws FileError for a recording or voice file that is not there
   */
  static async open(folder: string, jobs: string, items: readonly Item[], settings: Settings): Promise<Results> {
    const inputs = await hashes(items, settings);
    const results = new Results(folder, jobs, settings, items, inputs);
    for (const result of await earlier(join(folder, RESULTS))) {
      if (result.failed !== undefined || inputs.get(result.file) !== result.inputs) continue;
      const there = await stat(join(folder, result.file)).catch(() => undefined);
      if (there?.size === result.bytes) results.done.set(result.file, result);
    }
    return results;
  }

  /** Items for which there is no WAV yet. */
  get missing(): readonly Item[] {
    return this.items.filter(({ file }) => !this.done.has(file));
  }

  /** What is known so far, in the order of the items. */
  get list(): readonly Result[] {
    return this.items.flatMap(({ file }) => this.done.get(file) ?? []);
  }

  /** Puts down what came of an item, and from time to time writes the file; `write` must follow the last. */
  async add({ file, speaker, mode, text, instruct }: Item, outcome: Partial<Result>): Promise<void> {
    const inputs = this.inputs.get(file) as string;
    this.done.set(file, { file, speaker, mode, text, ...(instruct ? { instruct } : {}), inputs, ...outcome });
    if (performance.now() - this.written > 1000 * WRITE_SECONDS) await this.write();
  }

  /** Also before the first WAV is replaced, so that no result ever stands for a file of other inputs. */
  async write(): Promise<void> {
    const { jobs, settings, list } = this;
    await atomicWrite(join(this.folder, RESULTS), `${JSON.stringify({ jobs, settings, items: list }, null, 2)}\n`);
    this.written = performance.now();
  }
}

/** Results of an earlier run; none when there was none or its file cannot be read any more. */
async function earlier(path: string): Promise<Result[]> {
  if (!(await stat(path).catch(() => undefined))) return [];
  try {
    const { items } = JSON.parse(await readTextFile(path, MAX_BYTES)) as { items: Result[] };
    return items.filter(({ file, inputs }) => typeof file === "string" && typeof inputs === "string");
  } catch {
    process.stderr.write(`${path}: not readable, so everything is made again\n`);
    return [];
  }
}

/** By the name of an item's file. */
async function hashes(items: readonly Item[], settings: Settings): Promise<Map<string, string>> {
  const model = await folderState(settings.model);
  const files = new Map<string, string>();
  const fileHash = async (path: string): Promise<string> => {
    const known = files.get(path) ?? (await sha256(path));
    files.set(path, known);
    return known;
  };
  const voiceState = async ({ promptWav, promptText, voice, ifKnown }: Candidate) => {
    if (promptWav !== undefined) return [await fileHash(promptWav), promptText ?? null];
    return voice !== undefined && isVoiceFile(voice) ? [await fileHash(voice)] : [voice, ifKnown ?? false];
  };
  const { model: _, ...options } = settings;
  const out = new Map<string, string>();
  for (const { file, mode, text, instruct, voices } of items) {
    const voice = [];
    for (const candidate of voices) voice.push(await voiceState(candidate));
    const all = JSON.stringify({ model, options, mode, text, instruct, voice });
    out.set(file, createHash("sha256").update(all).digest("hex"));
  }
  return out;
}

/** Names, sizes and times of a model's files; to read gigabytes would take longer than to speak a sentence. */
async function folderState(path: string): Promise<string[]> {
  try {
    // The output may lie in the model's folder.
    const names = (await readdir(path, { recursive: true })).filter((name) => !/\.wav$|results\.json$/.test(name));
    const lines = [];
    for (const name of names.sort()) {
      const state = await stat(join(path, name));
      if (state.isFile()) lines.push(`${name} ${state.size} ${state.mtimeMs}`);
    }
    return lines;
  } catch (error) {
    throw asFileError(error, path);
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    throw asFileError(error, path);
  }
  return hash.digest("hex");
}
