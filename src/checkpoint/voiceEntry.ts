/** What a release keeps of a speaker, read into memory. */
import { FileError } from "../errors.js";
import { toInts } from "./dtype.js";
import { type LazyTensor, readAll } from "./tensor.js";

/** One tensor of a voice: ids as integers, everything else as floats. */
export interface VoiceTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** An entry of `spk2info.pt`: `embedding` [1, 192] for an SFT voice, the front end's prompt tensors for a zero-shot one. */
export type VoiceEntry = Readonly<Record<string, VoiceTensor>>;

/** The words of a recording as code points [n], where a file holds them as text and not as the tokenizer's ids (`prompt_text`). */
export const TRANSCRIPT = "transcript";

/** Elements a voice's tensor has at most: a prompt of 30 s is 120,000 mel values. */
const MAX_VOICE_TENSOR = 1 << 24;

/** Ids stay integers. */
async function voiceTensor(tensor: LazyTensor): Promise<VoiceTensor> {
  const { shape, elements, type, label } = tensor;
  if (elements > MAX_VOICE_TENSOR) throw new FileError(`${label}: ${elements} elements, at most ${MAX_VOICE_TENSOR}`);
  if ((type === "I64" || type === "I32") && tensor.raw)
    return { shape, data: toInts(await tensor.raw(0, elements), type, label) };
  return { shape, data: await readAll(tensor) };
}

/** @throws FileError when a tensor is larger than that of any voice, or damaged */
export async function voiceEntry(tensors: ReadonlyMap<string, LazyTensor>): Promise<VoiceEntry> {
  return Object.fromEntries(
    await Promise.all([...tensors].map(async ([key, tensor]) => [key, await voiceTensor(tensor)] as const)),
  );
}
