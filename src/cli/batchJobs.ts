/**
 * The file of a batch: the JSON of the fine-tuning tutorial, texts by speaker and by way of speaking,
 *
 *     { "anna": { "zero-shot": ["…"], "cross-lingual": ["…"],
 *                 "instruction-zero-shot": { "instruction": "…", "text": "…" }, "sft_inference": ["…"],
 *                 "prompt_wav": "anna.wav", "prompt_text": "…", "voice": "…" } }
 *
 * of which the last three keys are ours: whose voice it is; or upstream's flat form, `{ "anna": ["…"] }`, for trained speakers. The
 * tutorial's own example has commas before closing brackets, which JSON forbids and the reader of yaml, which JSON is a part of, allows.
 */
import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import { printable } from "../checkpoint/printable.js";
import { FileError, InputError } from "../errors.js";
import { checkRequest } from "../speech.js";
import type { Mode } from "../voice.js";
import { readTextFile } from "./textInput.js";
import { isVoiceFile, type VoiceOptions } from "./voiceOptions.js";

/** The tutorial's names of the ways to speak. */
const KINDS = {
  "zero-shot": "zero-shot",
  "cross-lingual": "cross-lingual",
  "instruction-zero-shot": "instruct",
  sft_inference: "sft",
} as const satisfies Readonly<Record<string, Mode>>;

type Kind = keyof typeof KINDS;

const VOICE_KEYS = ["prompt_wav", "prompt_text", "voice"] as const;

const KEYS: readonly string[] = [...Object.keys(KINDS), ...VOICE_KEYS];

const MAX_CHARACTERS = 1 << 22;
const MAX_ITEMS = 10_000;

/** Characters of a speaker's name that stand in a file name. */
const NAME_CHARACTERS = 40;

/** A voice that an item may have. */
export interface Candidate extends VoiceOptions {
  /** It counts only when the model knows it. */
  readonly ifKnown?: true;
}

/** One WAV file to be made. */
export interface Item {
  /** Its name in the output folder: letters, digits, "_" and "-", so that it never leads out of there. */
  readonly file: string;
  readonly speaker: string;
  readonly mode: Mode;
  readonly text: string;
  readonly instruct?: string;
  /** The first that counts speaks. Paths are absolute. */
  readonly voices: readonly Candidate[];
}

/**
 * @param given the voice of speakers for which the file names none
 * @throws FileError or InputError for the first thing that is wrong, before anything is spoken
 */
export async function readJobs(path: string, given: VoiceOptions): Promise<Item[]> {
  const text = await readTextFile(path);
  if (text.length > MAX_CHARACTERS) {
    throw new FileError(`${path}: ${text.length} characters, at most ${MAX_CHARACTERS}; cut it into several files`);
  }
  return jobsOf(text, path, given);
}

export function jobsOf(text: string, path: string, given: VoiceOptions): Item[] {
  const items: Item[] = [];
  const files = new Set<string>();
  for (const [speaker, value] of entries(parse(text, path), path)) {
    const where = `${path}: speaker ${JSON.stringify(printable(speaker))}`;
    // Upstream's own lists of texts name no way of speaking.
    const entry = new Map(Array.isArray(value) ? [["sft_inference", value]] : entries(value, where));
    for (const key of entry.keys()) {
      if (KEYS.includes(key)) continue;
      throw new InputError(
        `${where}: ${JSON.stringify(printable(key))} is no key of a speaker; there are ${KEYS.join(", ")}`,
      );
    }
    const own = ownVoice(entry, where, dirname(path));
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const mode = KINDS[kind];
      const lines = linesOf(entry.get(kind), kind, `${where}: "${kind}"`);
      if (lines.length === 0) continue;
      const voices = candidates(speaker, mode, own, given, `${where}: "${kind}"`);
      for (const [index, line] of lines.entries()) {
        const file = freeName(`${safe(speaker)}_${kind.replaceAll("-", "_")}_${index}`, files);
        items.push({ file, speaker, mode, ...line, voices });
      }
    }
    if (items.length > MAX_ITEMS) {
      throw new InputError(`${path}: more than ${MAX_ITEMS} texts; cut it into several files`);
    }
  }
  if (items.length === 0) {
    throw new InputError(
      `${path}: there is no text to speak; a speaker has lists of texts under ${Object.keys(KINDS).join(", ")}`,
    );
  }
  return items;
}

function parse(text: string, path: string): unknown {
  try {
    const document = parseDocument(text, { logLevel: "silent" });
    const [problem] = document.errors;
    if (!problem) return document.toJS();
    throw problem;
  } catch (error) {
    const [line = ""] = (error as Error).message.split("\n");
    throw new FileError(`${path}: not JSON; ${printable(line.replace(/:$/, ""))}`);
  }
}

function entries(value: unknown, where: string): [string, unknown][] {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value);
  throw new InputError(
    `${where}: ${kindOf(value)} where an object must be, e.g. {"anna": {"sft_inference": ["Hello."]}}`,
  );
}

interface Line {
  readonly text: string;
  readonly instruct?: string;
}

/** What stands under one way of speaking: a list of texts, or an instruction and its text, or a list of those. */
function linesOf(value: unknown, kind: Kind, where: string): Line[] {
  if (value === undefined) return [];
  if (kind !== "instruction-zero-shot") return textsOf(value, where).map((text) => ({ text }));
  const pairs = Array.isArray(value) ? value : [value];
  return pairs.flatMap((pair: unknown, index) => {
    const at = Array.isArray(value) ? `${where}, number ${index + 1}` : where;
    const { instruction, text, ...more } = Object.fromEntries(entries(pair, at));
    const [other] = Object.keys(more);
    if (other !== undefined) {
      throw new InputError(`${at}: ${JSON.stringify(printable(other))} is no key of it; there are instruction, text`);
    }
    const instruct = stringOf(instruction, `${at}: instruction`);
    if (instruct.trim() === "") throw new InputError(`${at}: instruction: it is blank; say how to speak`);
    return textsOf(text, `${at}: text`).map((line) => ({ text: line, instruct }));
  });
}

function textsOf(value: unknown, where: string): string[] {
  return (Array.isArray(value) ? value : [value]).map((item: unknown, index) => {
    const at = Array.isArray(value) ? `${where}, number ${index + 1}` : where;
    const text = stringOf(item, at);
    try {
      checkRequest(text, {});
    } catch (error) {
      throw new InputError(`${at}: ${(error as Error).message}`);
    }
    return text;
  });
}

function stringOf(value: unknown, where: string): string {
  if (typeof value === "string") return value;
  throw new InputError(`${where}: ${kindOf(value)} where a text must be`);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `the ${typeof value} ${printable(String(value))}`;
}

interface OwnVoice {
  readonly recording?: VoiceOptions;
  readonly named?: VoiceOptions;
}

function ownVoice(entry: ReadonlyMap<string, unknown>, where: string, folder: string): OwnVoice {
  const [promptWav, promptText, voice] = VOICE_KEYS.map((key) => {
    const value = entry.get(key);
    return value === undefined ? undefined : stringOf(value, `${where}: "${key}"`);
  });
  if (promptText !== undefined && promptWav === undefined) {
    throw new InputError(`${where}: "prompt_text" are the words of "prompt_wav", which is missing`);
  }
  if (promptText?.trim() === "") {
    throw new InputError(`${where}: "prompt_text": it is blank; give the words, or leave it out`);
  }
  const words = promptText === undefined ? {} : { promptText };
  return {
    ...(promptWav === undefined ? {} : { recording: { promptWav: resolve(folder, promptWav), ...words } }),
    ...(voice === undefined ? {} : { named: { voice: isVoiceFile(voice) ? resolve(folder, voice) : voice } }),
  };
}

/**
 * A trained speaker is known to the model by the speaker's name, as in the tutorial; every other way of speaking needs a recording.
 * @throws InputError when the recording's words are needed and missing
 */
function candidates(speaker: string, mode: Mode, own: OwnVoice, given: VoiceOptions, where: string): Candidate[] {
  const other = given.voice !== undefined || given.promptWav !== undefined ? given : undefined;
  const known: Candidate = { voice: speaker, ifKnown: true };
  const chosen = mode === "sft" ? own.named : (own.recording ?? own.named ?? other);
  if (chosen === undefined) {
    const instead = own.recording ?? other;
    return instead === undefined ? [known] : [known, instead];
  }
  if (mode === "zero-shot" && chosen.promptWav !== undefined && chosen.promptText === undefined) {
    const way = chosen === other ? "--prompt-text" : '"prompt_text"';
    throw new InputError(`${where}: zero-shot needs the words of the recording; give them with ${way}`);
  }
  return [chosen];
}

function safe(speaker: string): string {
  const letters = Array.from(speaker.normalize("NFC").replace(/[^\p{L}\p{M}\p{N}_-]+/gu, "_"));
  return letters.slice(0, NAME_CHARACTERS).join("") || "_";
}

/** A name that no item before has, not even in another case, which some file systems take for the same. */
function freeName(stem: string, taken: Set<string>): string {
  for (let count = 1; ; count++) {
    const name = `${stem}${count === 1 ? "" : `-${count}`}.wav`;
    if (taken.has(name.toLowerCase())) continue;
    taken.add(name.toLowerCase());
    return name;
  }
}
