/** The voice of a command: one of the model, a voice file, or a recording. */
import { basename, dirname } from "node:path";
import { type Command, Option } from "commander";
import { openFolder } from "#platform";
import type { Sound } from "../audio/readWav.js";
import { checkRecording } from "../audio/recording.js";
import { readSound } from "../audio/sound.js";
import { openModel } from "../checkpoint/model.js";
import type { RandomAccessFile } from "../checkpoint/source.js";
import { type Compat, waysOf } from "../compat.js";
import type { CosyVoice } from "../cosyvoice.js";
import { InputError } from "../errors.js";
import type { Voice } from "../voice.js";
import { decodeVoice, readVoice } from "../voiceFile.js";
import { interrupted } from "./interrupt.js";
import { warn } from "./output.js";
import { unknownVoice, VoicesFolder, voicesOption } from "./voicesFolder.js";

export interface VoiceOptions {
  readonly voice?: string;
  readonly promptWav?: string;
  readonly promptText?: string;
  /** The folder of the user's own voices. */
  readonly voices?: string;
  readonly compat?: Compat;
}

export function addVoiceOptions(command: Command): Command {
  return command
    .option(
      "--voice <name|file>",
      "a voice of the model, one of your own, or a .voice.safetensors file (default: the model's first voice)",
    )
    .addOption(voicesOption())
    .addOption(
      new Option("--prompt-wav <file>", "speak like this recording of 3 to 10 seconds (WAV)").conflicts("voice"),
    );
}

/** Words of the recording that `--prompt-wav`, or `voice add`, names. */
export function promptTextOption(): Option {
  return new Option("--prompt-text <text>", "the words of the recording, for zero-shot");
}

/** @throws InputError for the words of a recording that are none */
export function checkPromptText(promptText: string | undefined): void {
  if (promptText?.trim() === "") throw new InputError("--prompt-text: it is blank; give the words, or leave it out");
}

/**
 * What can be refused before a model is loaded, which may take a minute.
 * @throws InputError or FileError for words without a recording, and a recording or voice file that cannot be used
 */
export async function checkVoice({ voice, promptWav, promptText }: VoiceOptions): Promise<void> {
  if (promptText !== undefined && promptWav === undefined) {
    throw new InputError("--prompt-text are the words of --prompt-wav, which is missing");
  }
  checkPromptText(promptText);
  if (promptWav !== undefined) checkRecording(await recording(promptWav), promptWav);
  else if (voice !== undefined && isVoiceFile(voice)) await withFile(voice, readVoice);
}

/**
 * The same options, with a voice of the user's own named by its file. Where the model has a speaker of that name, the model's speaks.
 * @throws InputError for a name that neither knows
 */
export async function findVoice<T extends VoiceOptions>(options: T, modelFolder: string): Promise<T> {
  const { voice, promptWav, voices } = options;
  if (promptWav !== undefined || voice === undefined || isVoiceFile(voice)) return options;
  const folder = new VoicesFolder(voices);
  const own = await folder.names();
  // Then the model alone can know it.
  if (own.length === 0) return options;
  const model = await openModel(await openFolder(modelFolder));
  await model.close();
  if (!own.includes(voice)) {
    if (model.voices.includes(voice)) return options;
    throw new InputError(unknownVoice(voice, { "the model": model.voices, [folder.path]: own }));
  }
  const file = folder.fileOf(voice);
  if (!model.voices.includes(voice)) return { ...options, voice: file };
  warn([`${JSON.stringify(voice)} is a speaker of the model, who speaks, and a voice of your own: --voice ${file}`]);
  return options;
}

/** A name that the model must know, to be checked before it is loaded; undefined when the voice comes from a file. */
export function namedVoice({ voice, promptWav }: VoiceOptions): string | undefined {
  return promptWav === undefined && voice !== undefined && !isVoiceFile(voice) ? voice : undefined;
}

/** The voice to speak with; undefined for the model's first. */
export async function voiceOf(tts: CosyVoice, options: VoiceOptions): Promise<string | Voice | undefined> {
  const { voice, promptWav, promptText, compat } = options;
  if (promptWav !== undefined) {
    return tts.listen(await recording(promptWav), {
      name: basename(promptWav),
      file: promptWav,
      ...(promptText === undefined ? {} : { transcript: promptText }),
      trim: waysOf(compat).recordingTrimmed,
      signal: interrupted,
    });
  }
  if (voice === undefined || !isVoiceFile(voice)) return voice;
  const { flow } = tts.config;
  if (!flow) throw new InputError(`${voice}: the model has no flow to speak it with`);
  return (await withFile(voice, (file) => decodeVoice(file, flow, tts.config))).voice;
}

export function recording(path: string): Promise<Sound> {
  return withFile(path, readSound);
}

/** Whether a voice is named by its file. */
export function isVoiceFile(voice: string): boolean {
  return voice.endsWith(".safetensors");
}

/** Opens a file for as long as it is read. */
export async function withFile<T>(path: string, read: (file: RandomAccessFile) => Promise<T>): Promise<T> {
  const folder = await openFolder(dirname(path));
  const file = await folder.open(basename(path));
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}
