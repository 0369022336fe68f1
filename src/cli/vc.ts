/** `cosyvoice vc`: a recording, spoken again in another voice. */
import type { Command } from "commander";
import { encodeWav } from "../audio/wav.js";
import { CosyVoice } from "../cosyvoice.js";
import { atomicWrite, requireWritable } from "./atomicWrite.js";
import { interrupted } from "./interrupt.js";
import { example, globalOptions, wholeNumber } from "./options.js";
import { showProgress } from "./progress.js";
import { addVoiceOptions, namedVoice, recording, type VoiceOptions, voiceOf } from "./voiceOptions.js";

interface Options extends VoiceOptions {
  readonly model: string;
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
    .requiredOption("--model <dir>", "a model with a speech tokenizer");
  addVoiceOptions(command)
    .option("-o, --output <file>", "the WAV file to write", "converted.wav")
    .option("--seed <n>", "same seed, source, voice, model and adapter: same samples", wholeNumber, 0)
    .option("--json", "print one JSON object instead of a line")
    .addHelpText(
      "after",
      example("cosyvoice vc me.wav --model CosyVoice2-0.5B-f16 --prompt-wav anna.wav -o anna-says.wav"),
    )
    .action(async (source: string, options: Options, self: Command) => {
      await requireWritable(options.output);
      const sound = await recording(source);
      const { adapter } = globalOptions(self);
      const voice = namedVoice(options);
      const loading = showProgress("loading");
      const tts = await CosyVoice.load(options.model, {
        ...(adapter !== undefined ? { adapter } : {}),
        ...(voice !== undefined ? { voice } : {}),
        signal: interrupted,
        onProgress: ({ what, done, total }) => loading.update(done, total, what),
      }).finally(() => loading.stop());
      try {
        const target = await voiceOf(tts, options);
        const converting = showProgress("converting");
        const speech = await tts
          .convert(sound, {
            ...(target === undefined ? {} : { voice: target }),
            name: source,
            seed: options.seed,
            signal: interrupted,
            onProgress: ({ what, done, total }) => converting.update(done, total, what),
          })
          .finally(() => converting.stop());
        await atomicWrite(options.output, encodeWav(speech.samples, speech.sampleRate));
        const seconds = speech.samples.length / speech.sampleRate;
        const facts = {
          output: options.output,
          seconds,
          tokens: speech.tokens,
          voice: speech.voice,
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
