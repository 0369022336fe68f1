/**
 * Speakers as a release keeps them: `spk2info.pt`, a dict of a dict of tensors for each, or `spk2embedding.pt` of the training recipe, a
 * vector for each. Other tools write lists and arrays of NumPy there. An entry that cannot be read costs that speaker and no other.
 */
import { FileError } from "../errors.js";
import { PickleDict, type PickleValue } from "./pickleValues.js";
import { printable } from "./printable.js";
import type { LazyTensor } from "./tensor.js";
import type { TorchFile } from "./torch.js";

export interface Speakers {
  /** Name → its tensors, in the order of the file. */
  readonly voices: ReadonlyMap<string, ReadonlyMap<string, LazyTensor>>;
  readonly warnings: readonly string[];
}

/** The words of a recording as code points [n], where a file holds them as text and not as the tokenizer's ids (`prompt_text`). */
export const TRANSCRIPT = "transcript";

/** Characters. */
const MAX_TRANSCRIPT = 10_000;

/** Corpora have a few thousand speakers. */
const MAX_VOICES = 100_000;

/** Voices that a warning names. */
const SHOWN = 5;

/** @throws FileError when the file is no dict */
export async function speakersIn(torch: TorchFile): Promise<Speakers> {
  const voices = new Map<string, ReadonlyMap<string, LazyTensor>>();
  const errors: FileError[] = [];
  if (!(torch.root instanceof PickleDict)) throw new FileError(`${torch.name}: not a dict of voices`);
  const { entries } = torch.root;
  if (entries.size > MAX_VOICES) throw new FileError(`${torch.name}: ${entries.size} voices, at most ${MAX_VOICES}`);
  for (const [key, entry] of entries) {
    const name = String(key);
    try {
      voices.set(name, await speaker(torch, name, entry));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      errors.push(error);
    }
  }
  return { voices, warnings: leftOut(errors) };
}

/** Warnings of voices that are left out, the first ones by name. */
export function leftOut(errors: readonly FileError[]): string[] {
  const lines = errors.slice(0, SHOWN).map(({ message }) => `${message}; this voice is left out`);
  return errors.length > SHOWN ? [...lines, `${errors.length - SHOWN} more voices are left out`] : lines;
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
