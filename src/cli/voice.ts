/** `cosyvoice voice`: voices of recordings, made once and kept as files. */
import type { Command } from "commander";
import { findAdapter, openFolder, openGrammars } from "#platform";
import { checkRecording } from "../audio/recording.js";
import { readSound } from "../audio/sound.js";
import { type Model, openModel } from "../checkpoint/model.js";
import { printable } from "../checkpoint/printable.js";
import { FileError, InputError } from "../errors.js";
import { Device } from "../gpu/device.js";
import { Listener } from "../listen.js";
import { createHasher } from "../platform/nodeFiles.js";
import { preparePrompt } from "../prepare.js";
import { Wetext } from "../text/wetext/wetext.js";
import { tokenizerOf } from "../tokenizerOf.js";
import { modeOf, type Voice } from "../voice.js";
import { encodeVoice } from "../voiceFile.js";
import { atomicWrite, requireWritable } from "./atomicWrite.js";
import { modelFolder } from "./boxedModel.js";
import { withProgress } from "./loadModel.js";
import { example, globalOptions, modelOption } from "./options.js";
import { warn } from "./output.js";
import { type Broken, inFull, inShort, type Known, known, ownVoices, speakersOf } from "./voiceFacts.js";
import { checkPromptText, promptTextOption, withFile } from "./voiceOptions.js";
import { unknownVoice, VoicesFolder, voicesOption } from "./voicesFolder.js";

interface Options {
  readonly voices?: string;
  readonly model?: string;
  readonly json?: boolean;
}

interface AddOptions extends Options {
  readonly promptText?: string;
  readonly licence?: string;
  readonly trim: boolean;
  readonly force?: boolean;
}

export function registerVoice(program: Command): void {
  const group = program
    .command("voice")
    .summary("keep voices of recordings: add, list, show, remove")
    .description("Keep voices of recordings as files, to speak with by name.")
    .addHelpText(
      "after",
      example(
        'cosyvoice voice add anna anna.wav --prompt-text "I am Anna." --model CosyVoice2-0.5B-f16',
        'cosyvoice speak "Hello." --model CosyVoice2-0.5B-f16 --voice anna',
      ),
    );
  registerAdd(group);

  group
    .command("list")
    .description("List the speakers that a model knows, and your own voices.")
    .addOption(modelOption("a model whose speakers to list"))
    .addOption(voicesOption())
    .option("--json", "print a JSON list")
    .addHelpText("after", example("cosyvoice voice list --model CosyVoice2-0.5B-f16"))
    .action(async (options: Options) => {
      const places = await allVoices(options);
      const lines = [...places].flatMap(([place, voices]) => [
        `${place}: ${voices.length || "none"}`,
        ...table(voices),
      ]);
      process.stdout.write(
        options.json ? `${JSON.stringify([...places.values()].flat(), null, 2)}\n` : `${lines.join("\n")}\n`,
      );
    });

  group
    .command("show")
    .description("Show what is known of a speaker of a model, or of one of your own voices.")
    .argument("<name>", "the voice")
    .addOption(modelOption("a model whose speakers go before your own voices"))
    .addOption(voicesOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", example("cosyvoice voice show anna"))
    .action(async (name: string, options: Options) => {
      const voice = find(name, await allVoices(options));
      process.stdout.write(options.json ? `${JSON.stringify(voice, null, 2)}\n` : inFull(voice));
    });

  group
    .command("remove")
    .description("Remove one of your voices. Nothing is asked.")
    .argument("<name>", "the voice")
    .addOption(voicesOption())
    .addHelpText("after", example("cosyvoice voice remove anna"))
    .action(async (name: string, { voices }: Options) => {
      process.stdout.write(`removed ${await new VoicesFolder(voices).remove(name)}\n`);
    });
}

function registerAdd(group: Command): void {
  group
    .command("add")
    .description(
      "Make a voice of a recording of 3 to 10 seconds, and keep it as NAME.voice.safetensors in the folder of your voices.",
    )
    .argument("<name>", "what to call it")
    .argument("<recording.wav>", "the recording")
    .addOption(modelOption("a model with a speech tokenizer and a speaker encoder"))
    .addOption(promptTextOption())
    .option("--licence <text>", "a note: who may do what with this voice")
    .option("--no-trim", "keep the silence around the words")
    .addOption(voicesOption("-o, --voices <dir>"))
    .option("--force", "replace a voice of that name")
    .option("--json", "print one JSON object instead of a line")
    .addHelpText(
      "after",
      example('cosyvoice voice add anna anna.wav --prompt-text "I am Anna." --model CosyVoice2-0.5B-f16'),
    )
    .action(async (name: string, recording: string, options: AddOptions, self: Command) => {
      const voice = await add(name, recording, options, globalOptions(self).adapter);
      process.stdout.write(options.json ? `${JSON.stringify(voice, null, 2)}\n` : `${voice.from}: ${inShort(voice)}\n`);
    });
}

async function add(
  name: string,
  path: string,
  { model: named, promptText, licence, trim, voices, force }: AddOptions,
  adapter: string | undefined,
): Promise<Known & { readonly warnings: readonly string[] }> {
  const folder = new VoicesFolder(voices);
  const file = folder.fileOf(name);
  checkPromptText(promptText);
  if (!force && (await folder.names()).includes(name)) {
    throw new InputError(`voice ${JSON.stringify(name)}: ${file} is there; --force replaces it`);
  }
  const { sound, source } = await withFile(path, async (opened) => {
    const heard = await readSound(opened);
    const hasher = createHasher();
    hasher.update(await opened.read(0, opened.size));
    return { sound: heard, source: hasher.digest() };
  });
  checkRecording(sound, path);
  await folder.make();
  await requireWritable(file);
  const transcript = promptText === undefined ? {} : { transcript: promptText };
  const from = modelFolder(named);
  return withModel(from, async (model) => {
    const voice = await withProgress("listening", async ({ signal }) =>
      hear(model, adapter, (listener) => listener.voice(sound, { name, file: path, trim, signal, ...transcript })),
    );
    const seconds = (voice.prompt?.tokens.length ?? 0) / model.config.tokenRate;
    const facts = { name, ...transcript, source, ...(licence === undefined ? {} : { licence }), seconds };
    await atomicWrite(file, encodeVoice(voice, model.config.mel.bins, facts));
    const reader = { tokenizer: await tokenizerOf(model), wetext: new Wetext(openGrammars), config: model.config };
    const { warnings: doubts } = await preparePrompt(voice, modeOf(voice, {}), {}, reader);
    const warnings = model.voices.includes(name)
      ? [...doubts, `${from} has a speaker ${JSON.stringify(name)} too, who goes first; --voice ${file} names this one`]
      : doubts;
    warn(warnings);
    return { ...known(voice, file, facts), warnings };
  });
}

async function hear(model: Model, adapter: string | undefined, work: (listener: Listener) => Promise<Voice>) {
  const missing = (["speechTokenizer", "speaker"] as const).filter((part) => !model.components.includes(part));
  if (missing.length > 0) throw new FileError(`${model.name}: to hear, a model needs ${missing.join(" and ")}`);
  const device = await Device.open(await findAdapter(adapter));
  try {
    return await work(await Listener.load(device, model));
  } finally {
    device.destroy();
  }
}

type Places = ReadonlyMap<string, readonly (Known | Broken)[]>;

/** By where they are: the model's speakers, then a user's own. */
async function allVoices({ model, voices }: Options): Promise<Places> {
  const folder = new VoicesFolder(voices);
  const path = modelFolder(model);
  return new Map([
    [
      path,
      await withModel(path, async (model) => {
        warn(model.warnings);
        return speakersOf(model);
      }),
    ],
    [folder.path, await ownVoices(folder)],
  ]);
}

/** @throws InputError naming the voices there are, FileError when it is damaged */
function find(name: string, places: Places): Known {
  const voice = [...places.values()].flat().find((one) => one.name === name);
  if (!voice) {
    const names = [...places].map(([place, voices]) => [place, voices.map((one) => one.name)] as const);
    throw new InputError(unknownVoice(name, Object.fromEntries(names)));
  }
  if ("error" in voice) throw new FileError(voice.error);
  return voice;
}

function table(voices: readonly (Known | Broken)[]): string[] {
  const names = voices.map(({ name }) => printable(name));
  const width = Math.max(0, ...names.map((name) => name.length));
  return voices.map((voice, i) => `  ${(names[i] as string).padEnd(width)}  ${inShort(voice)}`);
}

async function withModel<T>(path: string, work: (model: Model) => Promise<T>): Promise<T> {
  const model = await openModel(await openFolder(path));
  return work(model).finally(() => model.close());
}
