/**
 * Speakers as a release keeps them: `spk2info.pt`, a dict of a dict of tensors for each, or `spk2embedding.pt` of the training recipe, a
 * vector for each. Other tools write lists and arrays of NumPy there. An entry that cannot be read costs that speaker and no other.
 */
import type { FlowConfig } from "../config.js";
import { FileError } from "../errors.js";
import { voiceOf } from "../voice.js";
import { firstNotFinite } from "./dtype.js";
import { PickleDict, type PickleValue } from "./pickleValues.js";
import { printable } from "./printable.js";
import type { LazyTensor } from "./tensor.js";
import type { TorchFile } from "./torch.js";
import { TRANSCRIPT, voiceEntry } from "./voiceEntry.js";

export interface Speakers {
  /** Name → its tensors, in the order of the file. */
  readonly voices: ReadonlyMap<string, ReadonlyMap<string, LazyTensor>>;
  /** Why others cannot be read, by name. */
  readonly damaged: ReadonlyMap<string, FileError>;
  /** What of those that can be read is of no use, a line each. */
  readonly notes: readonly string[];
}

/** Characters. */
const MAX_TRANSCRIPT = 10_000;

/** Corpora have a few thousand speakers. */
const MAX_VOICES = 100_000;

/** Voices that a warning names. */
const SHOWN = 8;

/** @throws FileError when the file is no dict */
export async function speakersIn(torch: TorchFile): Promise<Speakers> {
  const voices = new Map<string, ReadonlyMap<string, LazyTensor>>();
  const damaged = new Map<string, FileError>();
  if (!(torch.root instanceof PickleDict)) throw new FileError(`${torch.name}: not a dict of voices`);
  const { entries } = torch.root;
  if (entries.size > MAX_VOICES) throw new FileError(`${torch.name}: ${entries.size} voices, at most ${MAX_VOICES}`);
  for (const [key, entry] of entries) {
    const name = String(key);
    try {
      voices.set(name, await speaker(torch, name, entry));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      damaged.set(name, error);
    }
  }
  return { voices, damaged, notes: [] };
}

/** Warnings of voices that are left out, and notes on others; the first ones by name. */
export function leftOut({ voices, damaged, notes }: Speakers, folder: string): string[] {
  const all = [...[...damaged.values()].map(({ message }) => `${message}; this voice is left out`), ...notes];
  const lines = all.slice(0, SHOWN);
  if (all.length > SHOWN) lines.push(`${folder}: ${all.length - SHOWN} more voices are in doubt`);
  if (damaged.size > 0 && voices.size === 0) lines.push(`${folder}: no voice is left, so no trained speakers`);
  return lines;
}

/**
 * Those a model can speak with; the others are damaged.
 * @param flow of the model, if it has one
 * @param from the folder, for messages
 */
export async function usable(
  { voices, damaged }: Speakers,
  flow: FlowConfig | undefined,
  from: string,
): Promise<Speakers> {
  const [kept, lost, notes] = [new Map(voices), new Map(damaged), [] as string[]];
  for (const [name, tensors] of voices) {
    try {
      const entry = await voiceEntry(tensors);
      if (flow && !voiceOf(name, entry, flow, from).prompt && entry[TRANSCRIPT]) {
        notes.push(
          `${from}: voice ${JSON.stringify(printable(name))} has words and no recording, so they are not used`,
        );
      }
      for (const [key, { data }] of Object.entries(entry)) {
        const at = data instanceof Float32Array ? firstNotFinite(data) : -1;
        if (at >= 0)
          throw new FileError(`${from}: voice ${JSON.stringify(name)}: element ${at} of ${key} is ${data[at]}`);
      }
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      kept.delete(name);
      lost.set(name, error);
    }
  }
  return { voices: kept, damaged: lost, notes };
}

async function speaker(torch: TorchFile, name: string, entry: PickleValue): Promise<Map<string, LazyTensor>> {
  const where = `${torch.name}: voice ${JSON.stringify(printable(name))}`;
  const alone = entry instanceof PickleDict ? undefined : await torch.tensor(`${name}/embedding`, entry);
  if (alone) return new Map([["embedding", alone]]);
  if (!(entry instanceof PickleDict)) {
    throw new FileError(`${where} is neither a dict of tensors nor a speaker vector`);
  }
  const tensors = new Map<string, LazyTensor>();
  for (const [key, value] of entry.entries) {
    if (typeof key !== "string") continue;
    if (key.includes("/"))
      throw new FileError(`${where} has a tensor ${JSON.stringify(printable(key))}; a name has no "/"`);
    const tensor = await torch.tensor(`${name}/${key}`, value);
    if (tensor) tensors.set(key, tensor);
    else if (key === "prompt_text" && typeof value === "string") tensors.set(TRANSCRIPT, lettersOf(where, value));
  }
  return tensors;
}

/** Code points [n] of a text. */
function lettersOf(where: string, text: string): LazyTensor {
  const letters = Int32Array.from(text, (letter) => letter.codePointAt(0) ?? 0);
  if (letters.length > MAX_TRANSCRIPT) {
    throw new FileError(`${where}: its prompt_text has ${letters.length} characters, at most ${MAX_TRANSCRIPT}`);
  }
  return {
    label: `${where}: prompt_text`,
    shape: [letters.length],
    elements: letters.length,
    type: "I32",
    raw: async (start, count) => new Uint8Array(letters.slice(start, start + count).buffer),
    read: async (start, count) => Float32Array.from(letters.subarray(start, start + count)),
  };
}
