/**
 * A voice as a file of its own, `NAME.voice.safetensors`: `embedding` [speakerWidth], and of a recording `tokens` [P] and `mel`
 * [frames, melBins]; words about it in the header.
 */

import { MAX_SECONDS } from "./audio/recording.js";
import { printable } from "./checkpoint/printable.js";
import { openSafetensors, safetensorsHeader } from "./checkpoint/safetensors.js";
import type { RandomAccessFile } from "./checkpoint/source.js";
import { readAll } from "./checkpoint/tensor.js";
import type { Config, FlowConfig } from "./config.js";
import { FileError } from "./errors.js";
import type { Voice } from "./voice.js";

const FORMAT = "cosyvoice-webgpu-voice-1";

/** Bytes: half a minute of mel is 0.5 MB. */
const MAX_BYTES = 1 << 24;
/** Seconds that a recording's length in tokens may be above that of the longest: silence is appended to what is trimmed. */
const SPARE_SECONDS = 1;
/** Characters of each fact. */
const MAX_WORDS = 10_000;

/** What a file says of a voice beside its numbers. */
export interface VoiceFacts {
  readonly name: string;
  readonly transcript?: string;
  /** sha256 of the recording. */
  readonly source?: string;
  /** Who may do what with this voice. */
  readonly licence?: string;
  /** How much of a recording the voice holds. */
  readonly seconds?: number;
}

export interface StoredVoice {
  readonly facts: VoiceFacts;
  readonly voice: Voice;
}

/** @param melBins of the model that made the voice */
export function encodeVoice({ embedding, prompt }: Voice, melBins: number, facts: VoiceFacts): Uint8Array {
  const planned = [{ name: "embedding", type: "F32", shape: [embedding.length] }] as {
    name: string;
    type: "F32" | "I32";
    shape: number[];
  }[];
  const data: (Float32Array | Int32Array)[] = [embedding];
  if (prompt) {
    planned.push({ name: "mel", type: "F32", shape: [prompt.mel.length / melBins, melBins] });
    planned.push({ name: "tokens", type: "I32", shape: [prompt.tokens.length] });
    data.push(prompt.mel, prompt.tokens);
  }
  const words = Object.entries({ ...facts, codebook: prompt?.codebook }).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)]],
  );
  const header = safetensorsHeader(planned, {
    format: FORMAT,
    ...(Object.fromEntries(words) as Record<string, string>),
  });
  const out = new Uint8Array(header.length + data.reduce((sum, { byteLength }) => sum + byteLength, 0));
  out.set(header);
  let at = header.length;
  for (const part of data) {
    out.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += part.byteLength;
  }
  return out;
}

/** A voice of any model. @throws FileError for a file that is no voice or is damaged */
export async function readVoice(file: RandomAccessFile): Promise<StoredVoice> {
  if (file.size > MAX_BYTES) throw new FileError(`${file.name}: ${file.size} bytes, a voice has at most ${MAX_BYTES}`);
  const { tensors, metadata } = await openSafetensors(file);
  if (metadata.get("format") !== FORMAT) {
    throw new FileError(
      `${file.name}: it is no voice file (format ${printable(metadata.get("format") ?? "unnamed")}, expected ${FORMAT})`,
    );
  }
  const floats = async (name: string): Promise<Float32Array | undefined> => {
    const tensor = tensors.get(name);
    if (!tensor) return undefined;
    const values = await readAll(tensor);
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) throw new FileError(`${file.name}: value ${wrong} of ${name} is ${values[wrong]}, no number`);
    return values;
  };
  const embedding = await floats("embedding");
  if (!embedding) throw new FileError(`${file.name}: it has no speaker vector; make the voice again`);
  const facts = factsOf(metadata);
  const { name, transcript } = facts;
  const mel = await floats("mel");
  const ids = await floats("tokens");
  if (!mel || !ids) return { facts, voice: { name, embedding, kept: true } };
  const codebook = metadata.get("codebook");
  const prompt = {
    tokens: Int32Array.from(ids),
    mel,
    ...(codebook === undefined ? {} : { codebook }),
    ...(transcript === undefined ? {} : { transcript }),
  };
  return { facts, voice: { name, embedding, prompt, kept: true } };
}

/**
 * A voice that a model can speak with.
 * @throws FileError for a file that is no voice, is damaged, holds too long a recording, or was made for a model of other sizes
 */
export async function decodeVoice(
  file: RandomAccessFile,
  flow: FlowConfig,
  { tokenMelRatio: ratio, tokenRate }: Pick<Config, "tokenMelRatio" | "tokenRate">,
): Promise<StoredVoice> {
  const stored = await readVoice(file);
  const { embedding, prompt } = stored.voice;
  if (embedding.length !== flow.speakerWidth) {
    throw new FileError(
      `${file.name}: a speaker vector of ${embedding.length} values, the model takes ${flow.speakerWidth}; make the voice with this model`,
    );
  }
  if (!prompt) return stored;
  const { tokens, mel } = prompt;
  const unknown = tokens.some((id) => id < 0 || id >= flow.codes);
  const apart = Math.abs(mel.length / flow.melBins - tokens.length * ratio);
  if (unknown || tokens.length === 0 || mel.length % flow.melBins !== 0 || apart > ratio) {
    throw new FileError(
      `${file.name}: ${tokens.length} speech tokens of up to ${flow.codes - 1} and ${mel.length} mel values do not fit the model; make the voice with this model`,
    );
  }
  const seconds = tokens.length / tokenRate;
  if (seconds > MAX_SECONDS + SPARE_SECONDS) {
    throw new FileError(
      `${file.name}: a recording of ${seconds.toFixed(1)} s, at most ${MAX_SECONDS} s; make the voice of the best 3 to 10 s`,
    );
  }
  return stored;
}

function factsOf(metadata: ReadonlyMap<string, string>): VoiceFacts {
  const pick = <K extends "transcript" | "source" | "licence">(key: K): { readonly [P in K]?: string } => {
    const value = metadata.get(key);
    return value === undefined ? {} : ({ [key]: value.slice(0, MAX_WORDS) } as { readonly [P in K]: string });
  };
  const seconds = Number(metadata.get("seconds"));
  return {
    name: (metadata.get("name") ?? "voice").slice(0, MAX_WORDS),
    ...pick("transcript"),
    ...pick("source"),
    ...pick("licence"),
    ...(seconds >= 0 && Number.isFinite(seconds) ? { seconds } : {}),
  };
}
