/** `cosyvoice batch`: many texts to WAV files, in one go or in several. */
import { join } from "node:path";
import type { Command } from "commander";
import { encodeWav } from "../audio/wav.js";
import type { WeightDtype } from "../checkpoint/model.js";
import type { CosyVoice } from "../cosyvoice.js";
import { CancelledError, checkCancelled, InputError } from "../errors.js";
import { makeFolder } from "../platform/nodeFiles.js";
import { checkOptions, type Speech } from "../speech.js";
import type { Voice } from "../voice.js";
import { atomicWrite, requireWritable } from "./atomicWrite.js";
import { type Candidate, type Item, readJobs } from "./batchJobs.js";
import { type Result, Results } from "./batchResults.js";
import { modelFolder } from "./boxedModel.js";
import { type Hooks, loadModel, tellAdapter, withProgress } from "./loadModel.js";
import {
  compatOption,
  dtypeOption,
  example,
  globalOptions,
  modelOption,
  type NormalizerName,
  normalizeOption,
  seedOption,
  speedOption,
} from "./options.js";
import { warn } from "./output.js";
import {
  addVoiceOptions,
  checkVoice,
  findVoice,
  namedVoice,
  promptTextOption,
  type VoiceOptions,
  voiceOf,
} from "./voiceOptions.js";
import { VoicesFolder } from "./voicesFolder.js";

interface Options extends VoiceOptions {
  readonly out: string;
  readonly model?: string;
  readonly normalize: NormalizerName;
  readonly seed: number;
  readonly speed: number;
  readonly dtype?: WeightDtype;
  readonly json?: boolean;
}

const JOBS = `
The JSON holds texts by speaker and by way of speaking:
  {"anna": {"zero-shot": ["Hello."], "cross-lingual": ["Bonjour."],
            "instruction-zero-shot": {"instruction": "Speak slowly.", "text": "Hello."},
            "sft_inference": ["Hello."],
            "prompt_wav": "anna.wav", "prompt_text": "I am Anna."}}
A list of texts alone, {"anna": ["Hello."]}, is sft_inference. That speaks with the voice of the speaker's name, or with "voice"
(a name or file); the others with the recording "prompt_wav" and its words "prompt_text", else with "voice", else with that of
--prompt-wav or --voice. Paths are seen from the JSON.
Run again, the same command makes only what is missing, failed, or made from other inputs.`;

export function registerBatch(program: Command): void {
  const command = program
    .command("batch")
    .summary("speak many texts into WAV files")
    .description("Speak every text of a JSON file into a WAV file, and write what came of each to results.json.")
    .argument("<jobs.json>", "texts by speaker and by way of speaking")
    .requiredOption("--out <dir>", "the folder for the WAV files and results.json; made when it is not there")
    .addOption(modelOption());
  addVoiceOptions(command)
    .addOption(promptTextOption())
    .addOption(normalizeOption())
    .addOption(compatOption())
    .addOption(seedOption())
    .addOption(speedOption())
    .addOption(dtypeOption())
    .option("--json", "print what results.json holds instead of the table")
    .addHelpText("after", JOBS)
    .addHelpText(
      "after",
      example("cosyvoice batch texts.json --model CosyVoice2-0.5B-f16 --prompt-wav anna.wav --out spoken"),
    )
    .action(async (jobs: string, options: Options, self: Command) => {
      const results = await batch(jobs, options, globalOptions(self).adapter);
      warn(results.flatMap(({ file, warnings = [] }) => warnings.map((warning) => `${file}: ${warning}`)));
      process.stdout.write(options.json ? `${JSON.stringify(results, null, 2)}\n` : table(results, options.out));
      if (results.some(({ failed }) => failed !== undefined)) process.exitCode = 1;
    });
}

async function batch(jobs: string, options: Options, adapter: string | undefined): Promise<readonly Result[]> {
  const { out, seed, speed, normalize, dtype, compat, voice, promptWav, promptText } = options;
  checkOptions({ seed, speed });
  await checkVoice(options);
  const given = { ...(voice && { voice }), ...(promptWav && { promptWav }), ...(promptText && { promptText }) };
  const read = await readJobs(jobs, given);
  await makeFolder(out);
  await requireWritable(join(out, "results.json"));
  const model = modelFolder(options.model);
  const find = voiceFinder(model, options.voices);
  const items = await withOwnVoices(read, options.voices, find);
  const results = await Results.open(out, jobs, items, { model, adapter, dtype, normalize, compat, seed, speed });
  const { missing } = results;
  if (missing.length < items.length) {
    process.stderr.write(`${items.length - missing.length} of ${items.length} are there already\n`);
  }
  await results.write();
  if (missing.length === 0) return results.list;

  const named = voice === undefined ? given : { voice: await find(voice) };
  const tts = await loadModel(model, { adapter, dtype, voice: namedVoice(named) });
  try {
    tellAdapter(tts);
    await withProgress("speaking", (hooks) => new Batch(tts, options, results, hooks).run(missing));
  } catch (error) {
    if (error instanceof CancelledError) {
      process.stderr.write(`${results.list.length} of ${items.length} are done; the same command goes on from there\n`);
    }
    throw error;
  } finally {
    tts.destroy();
    await results.write();
  }
  return results.list;
}

class Batch {
  /** Every recording is analysed once, and when that fails, it fails once. */
  private readonly voices = new Map<string, Promise<string | Voice | undefined>>();

  constructor(
    private readonly tts: CosyVoice,
    private readonly options: Options,
    private readonly results: Results,
    private readonly hooks: Hooks,
  ) {}

  async run(items: readonly Item[]): Promise<void> {
    // A text's length says best how long it takes.
    const total = items.reduce((sum, { text }) => sum + text.length, 0);
    let begun = 0;
    for (const item of items) {
      checkCancelled(this.hooks.signal, "the batch");
      const report = (what: string, part: number) =>
        this.hooks.onProgress({ what: `${item.file}: ${what}`, done: begun + part * item.text.length, total });
      report("voice", 0);
      await this.results.add(item, await this.outcome(item, report));
      begun += item.text.length;
    }
  }

  /** Speaks one item. What goes wrong with it is its outcome, except for Ctrl-C. */
  private async outcome(item: Item, report: (what: string, part: number) => void): Promise<Partial<Result>> {
    try {
      const speech = await this.speak(item, report);
      const wav = encodeWav(speech.samples, speech.sampleRate);
      await atomicWrite(join(this.options.out, item.file), wav);
      const seconds = speech.samples.length / speech.sampleRate;
      const { voice, tokens, stop, warnings, timings } = speech;
      const realTimeFactor = seconds > 0 ? timings.total / 1000 / seconds : 0;
      const more = warnings.length > 0 ? { warnings } : {};
      return { voice, seconds, tokens, stop, realTimeFactor, bytes: wav.length, ...more };
    } catch (error) {
      if (error instanceof CancelledError) throw error;
      return { failed: (error as Error).message.split("\n")[0] ?? "" };
    }
  }

  private async speak(item: Item, report: (what: string, part: number) => void): Promise<Speech> {
    const { seed, speed, normalize: normalizer, compat } = this.options;
    const { text, mode, instruct } = item;
    return this.tts.speak(text, {
      voice: await this.voice(item),
      mode,
      ...(instruct === undefined ? {} : { instruct }),
      ...(compat === undefined ? {} : { compat }),
      seed,
      speed,
      normalizer,
      signal: this.hooks.signal,
      onProgress: ({ what, done, total }) => report(what, done / total),
    });
  }

  private async voice({ speaker, voices }: Item): Promise<string | Voice> {
    const chosen = voices.find(({ ifKnown, voice = "" }) => !ifKnown || this.tts.voices.includes(voice));
    if (!chosen) {
      throw new InputError(
        `the model has no voice ${JSON.stringify(speaker)}; name its recording with "prompt_wav", or another voice with "voice"`,
      );
    }
    const key = JSON.stringify(chosen);
    const { compat } = this.options;
    const voice = this.voices.get(key) ?? voiceOf(this.tts, { ...chosen, ...(compat && { compat }) });
    this.voices.set(key, voice);
    return (await voice) as string | Voice;
  }
}

/** A name, or the file of the user's own voice of that name. */
type Finder = (voice: string) => Promise<string>;

/** Finds every name once, so that what there is to say of it is said once. */
function voiceFinder(model: string, voices: string | undefined): Finder {
  const found = new Map<string, Promise<string>>();
  return (voice) => {
    const finding = found.get(voice) ?? findVoice({ voice, ...(voices && { voices }) }, model).then((now) => now.voice);
    found.set(voice, finding);
    return finding;
  };
}

/** The items with names of the user's own voices replaced by their files, where the model has no such speaker. */
async function withOwnVoices(items: readonly Item[], voices: string | undefined, find: Finder): Promise<Item[]> {
  const own = new Set(await new VoicesFolder(voices).names());
  const resolved = async (candidate: Candidate): Promise<Candidate> => {
    const { voice, ifKnown, promptWav } = candidate;
    if (voice === undefined || promptWav !== undefined || (ifKnown && !own.has(voice))) return candidate;
    const now = await find(voice).catch((error: unknown) => {
      // A name that nobody has fails its own items, when it is their turn.
      if (error instanceof InputError) return voice;
      throw error;
    });
    return now === voice ? candidate : { voice: now };
  };
  const all: Item[] = [];
  for (const item of items) all.push({ ...item, voices: await Promise.all(item.voices.map(resolved)) });
  return all;
}

function table(results: readonly Result[], folder: string): string {
  const failed = results.filter((result) => result.failed !== undefined);
  const seconds = results.reduce((sum, result) => sum + (result.seconds ?? 0), 0);
  const row = (audio: string, tokens: string, factor: string, mode: string, rest: string) =>
    `${audio.padStart(9)}${tokens.padStart(8)}${factor.padStart(8)}  ${mode.padEnd(14)}${rest}`;
  return [
    row("seconds", "tokens", "rtf", "mode", "file"),
    ...results.map(({ file, mode, failed, seconds = 0, tokens = 0, realTimeFactor = 0, stop }) =>
      failed === undefined
        ? row(
            seconds.toFixed(2),
            `${tokens}`,
            realTimeFactor.toFixed(2),
            mode,
            `${file}${stop === "eos" ? "" : ` (stopped by ${stop})`}`,
          )
        : row("-", "-", "-", mode, `${file}: FAILED: ${failed}`),
    ),
    `${results.length - failed.length} of ${results.length} are in ${folder}, ${seconds.toFixed(1)} s of audio${failed.length > 0 ? `; ${failed.length} failed, and the same command tries only those again` : ""}`,
    "",
  ].join("\n");
}
