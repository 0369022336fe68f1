/** `cosyvoice vc`: a recording, spoken again in another voice. */
import type { Command } from "commander";
import { encodeWav } from "../audio/wav.js";
import { atomicWrite, requireEnding, requireWritable } from "./atomicWrite.js";
import { modelFolder } from "./boxedModel.js";
import { loadModel, tellAdapter, withProgress } from "./loadModel.js";
import { compatOption, example, globalOptions, modelOption, seedOption } from "./options.js";
import { warn } from "./output.js";
import {
  addVoiceOptions,
  checkVoice,
  findVoice,
  namedVoice,
  recording,
  type VoiceOptions,
  voiceOf,
} from "./voiceOptions.js";

interface Options extends VoiceOptions {
  readonly model?: string;
  readonly output: string;
  readonly seed: number;
  readonly json?: boolean;
}

export function registerVc(program: Command): void {
  const command = program
    .command("vc")
    .summary("speak a recording again in another voice")
    .description("Speak a recording again in another voice: its words, rhythm and melody, the other voice's timbre.")
    .argument("<source.wav>", "the recording")
    .addOption(modelOption("a model with a speech tokenizer, and for --prompt-wav a speaker encoder"));
  addVoiceOptions(command)
    .addOption(compatOption())
    .option("-o, --output <file>", "the WAV file to write", "converted.wav")
    .addOption(seedOption("source"))
    .option("--json", "print one JSON object instead of a line")
    .addHelpText(
      "after",
      example(
        "cosyvoice vc me.wav",
        "cosyvoice vc me.wav --model CosyVoice2-0.5B-f16 --prompt-wav anna.wav -o anna-says.wav",
      ),
    )
    .action(async (source: string, options: Options, self: Command) => {
      requireEnding(options.output, "WAV");
      await requireWritable(options.output);
      const sound = await recording(source);
      const { adapter } = globalOptions(self);
      const model = modelFolder(options.model);
      const named = await findVoice(options, model);
      await checkVoice(named);
      const tts = await loadModel(model, { adapter, voice: namedVoice(named) });
      try {
        tellAdapter(tts);
        const target = await voiceOf(tts, named);
        const speech = await withProgress("converting", (hooks) =>
          tts.convert(sound, {
            ...(target === undefined ? {} : { voice: target }),
            name: source,
            seed: options.seed,
            ...(options.compat === undefined ? {} : { compat: options.compat }),
            ...hooks,
          }),
        );
        await atomicWrite(options.output, encodeWav(speech.samples, speech.sampleRate));
        warn(speech.warnings);
        const seconds = speech.samples.length / speech.sampleRate;
        const facts = {
          output: options.output,
          seconds,
          tokens: speech.tokens,
          voice: speech.voice,
          warnings: speech.warnings,
          realTimeFactor: speech.timings.total / 1000 / seconds,
          milliseconds: speech.timings,
          adapter: tts.adapter,
        };
        process.stdout.write(
          options.json
            ? `${JSON.stringify(facts, null, 2)}\n`
            : `${options.output}: ${seconds.toFixed(2)} s of audio, ${speech.tokens} speech tokens, voice ${speech.voice}, real-time factor ${facts.realTimeFactor.toFixed(2)}\n`,
        );
      } finally {
        tts.destroy();
      }
    });
}
