/** What is known of a voice, for people and for scripts. */

import type { Model } from "../checkpoint/model.js";
import { printable } from "../checkpoint/printable.js";
import { FileError } from "../errors.js";
import { tokenizerOf } from "../tokenizerOf.js";
import { type Voice, voiceOf } from "../voice.js";
import type { VoiceFacts } from "../voiceFile.js";
import type { VoicesFolder } from "./voicesFolder.js";

export interface Known extends VoiceFacts {
  /** The file, or the model whose speaker it is. */
  readonly from: string;
  /** A trained speaker has a vector alone; a recording also speech tokens and a mel. */
  readonly kind: "speaker" | "recording";
  readonly speakerWidth: number;
  /** Speech tokens of the recording. */
  readonly tokens?: number;
}

/** A voice whose file is damaged. */
export interface Broken {
  readonly name: string;
  readonly from: string;
  readonly error: string;
}

/** @param facts without a name: that of the voice */
export function known({ name, embedding, prompt }: Voice, from: string, facts: Partial<VoiceFacts> = {}): Known {
  return {
    ...facts,
    name,
    from,
    kind: prompt ? "recording" : "speaker",
    speakerWidth: embedding.length,
    ...(prompt ? { tokens: prompt.tokens.length } : {}),
  };
}

/** The speakers that a model knows. */
export async function speakersOf(model: Model): Promise<(Known | Broken)[]> {
  const { flow, tokenRate } = model.config;
  if (!flow) return [];
  const tokenizer = await tokenizerOf(model);
  return each(model.voices, model.name, async (name) => {
    const voice = voiceOf(name, await model.voice(name), flow, model.name);
    const { tokens, transcriptIds } = voice.prompt ?? {};
    return known(voice, model.name, {
      ...(tokens ? { seconds: tokens.length / tokenRate } : {}),
      ...(transcriptIds ? { transcript: tokenizer.decode(transcriptIds) } : {}),
    });
  });
}

/** A user's own voices, by the names of their files. */
export async function ownVoices(folder: VoicesFolder): Promise<(Known | Broken)[]> {
  return each(await folder.names(), folder.path, async (name) => {
    const { voice, facts } = await folder.read(name);
    return known({ ...voice, name }, folder.fileOf(name), facts);
  });
}

async function each(
  names: readonly string[],
  from: string,
  read: (name: string) => Promise<Known>,
): Promise<(Known | Broken)[]> {
  const rows = [];
  for (const name of names) {
    rows.push(
      await read(name).catch((error: unknown): Broken => {
        if (error instanceof FileError) return { name, from, error: error.message };
        throw error;
      }),
    );
  }
  return rows;
}

/** One line. */
export function inShort(voice: Known | Broken): string {
  if ("error" in voice) return `damaged: ${voice.error}`;
  const { kind, seconds, transcript } = voice;
  if (kind === "speaker") return "a trained speaker";
  const length = seconds === undefined ? "" : ` of ${seconds.toFixed(1)} s`;
  return `a recording${length}, ${transcript === undefined ? "no transcript" : JSON.stringify(printable(transcript))}`;
}

/** A line for each fact. */
export function inFull({
  name,
  from,
  kind,
  speakerWidth,
  tokens,
  seconds,
  transcript,
  source,
  licence,
}: Known): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["voice", name],
    ["from", from],
    ["holds", kind === "speaker" ? "a trained speaker" : "a recording"],
    ["speaker", `${speakerWidth} numbers`],
    ["recording", tokens === undefined ? undefined : `${seconds?.toFixed(2) ?? "?"} s, ${tokens} speech tokens`],
    ["transcript", transcript],
    ["source", source === undefined ? undefined : `sha256 ${source}`],
    ["licence", licence],
  ];
  return rows
    .flatMap(([key, value]) => (value === undefined ? [] : [`${key.padEnd(12)}${printableWhole(value)}\n`]))
    .join("");
}

/** On one line, nothing that a terminal would obey. */
function printableWhole(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ");
}
