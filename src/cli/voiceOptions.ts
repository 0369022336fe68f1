/** The voice of a command: one of the model, a voice file, or a recording. */
import { basename, dirname } from "node:path";
import { type Command, Option } from "commander";
import { openFolder } from "#platform";
import type { Sound } from "../audio/readWav.js";
import { readSound } from "../audio/sound.js";
import type { RandomAccessFile } from "../checkpoint/source.js";
import type { CosyVoice } from "../cosyvoice.js";
import { InputError } from "../errors.js";
import type { Voice } from "../voice.js";
import { decodeVoice } from "../voiceFile.js";
import { interrupted } from "./interrupt.js";

export interface VoiceOptions {
  readonly voice?: string;
  readonly promptWav?: string;
  readonly promptText?: string;
}

export function addVoiceOptions(command: Command): Command {
  return command
    .option(
      "--voice <name|file>",
      "a voice of the model, or a .voice.safetensors file (default: the model's first voice)",
    )
    .addOption(
      new Option("--prompt-wav <file>", "speak like this recording of 3 to 10 seconds (WAV)").conflicts("voice"),
    );
}

/** A name that the model must know, to be checked before it is loaded; undefined when the voice comes from a file. */
export function namedVoice({ voice, promptWav }: VoiceOptions): string | undefined {
  return promptWav === undefined && voice !== undefined && !isVoiceFile(voice) ? voice : undefined;
}

/** The voice to speak with; undefined for the model's first. */
export async function voiceOf(tts: CosyVoice, options: VoiceOptions): Promise<string | Voice | undefined> {
  const { voice, promptWav, promptText } = options;
  if (promptText !== undefined && promptWav === undefined) {
    throw new InputError("--prompt-text are the words of --prompt-wav, which is missing");
  }
  if (promptWav !== undefined) {
    const transcript = promptText === undefined ? {} : { transcript: promptText };
    return tts.listen(await recording(promptWav), { name: basename(promptWav), signal: interrupted, ...transcript });
  }
  if (voice === undefined || !isVoiceFile(voice)) return voice;
  const { flow, tokenMelRatio } = tts.config;
  if (!flow) throw new InputError(`${voice}: the model has no flow to speak it with`);
  return (await withFile(voice, (file) => decodeVoice(file, flow, tokenMelRatio))).voice;
}

export function recording(path: string): Promise<Sound> {
  return withFile(path, readSound);
}

/** Whether a voice is named by its file. */
export function isVoiceFile(voice: string): boolean {
  return voice.endsWith(".safetensors");
}

async function withFile<T>(path: string, read: (file: RandomAccessFile) => Promise<T>): Promise<T> {
  const folder = await openFolder(dirname(path));
  const file = await folder.open(basename(path));
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}
