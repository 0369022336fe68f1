/** `cosyvoice speak`: text to a WAV file. */
import { type Command, Option } from "commander";
import { encodeWav } from "../audio/wav.js";
import type { WeightDtype } from "../checkpoint/model.js";
import type { CosyVoice } from "../cosyvoice.js";
import { checkRequest, type Speech } from "../speech.js";
import { MODES, type Mode } from "../voice.js";
import { atomicWrite, requireEnding, requireWritable } from "./atomicWrite.js";
import { modelFolder } from "./boxedModel.js";
import { loadModel, tellAdapter, withProgress } from "./loadModel.js";
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
import { warn, writeStdout } from "./output.js";
import { drawSpectrogram } from "./spectrogram.js";
import { incomingText, textOf } from "./textInput.js";
import {
  addVoiceOptions,
  checkVoice,
  findVoice,
  namedVoice,
  promptTextOption,
  type VoiceOptions,
  voiceOf,
} from "./voiceOptions.js";

interface Options extends VoiceOptions {
  readonly model?: string;
  readonly mode?: Mode;
  readonly instruct?: string;
  readonly textFile?: string;
  readonly textStream?: boolean;
  readonly normalize: NormalizerName;
  readonly output: string;
  readonly seed: number;
  readonly speed: number;
  readonly dtype?: WeightDtype;
  readonly spectrogram?: string;
  readonly json?: boolean;
}

const STDOUT = "-";

export function registerSpeak(program: Command): void {
  const command = program
    .command("speak")
    .summary("speak a text into a WAV file")
    .description(
      "Speak a text into a WAV file. Without --model, the small English voice that comes with the package speaks.",
    )
    .argument("[text]", "the text; without it --text-file or stdin is read")
    .option("--text-file <file>", "read the text from a file")
    .option(
      "--text-stream",
      "speak stdin while it comes; a line's end ends a sentence, and each is read as without this (with --normalize none every word goes to the model at once, unchanged, as upstream)",
    )
    .addOption(normalizeOption())
    .addOption(modelOption());
  addVoiceOptions(command)
    .addOption(promptTextOption())
    .addOption(new Option("--mode <mode>", "what of the voice is used (default: what makes most of it)").choices(MODES))
    .option("--instruct <text>", "how to speak, in words: mode instruct")
    .addOption(compatOption())
    .option("-o, --output <file>", 'the WAV file to write; "-" for stdout', "speech.wav")
    .addOption(seedOption())
    .addOption(speedOption())
    .addOption(dtypeOption())
    .option("--spectrogram <file.png>", "also draw the speech as a log-mel spectrogram")
    .option("--json", "print one JSON object instead of the summary")
    .addHelpText(
      "after",
      example(
        'cosyvoice speak "Hello, it works." -o hello.wav',
        'cosyvoice speak "Hello." --model CosyVoice2-0.5B-f16 --prompt-wav anna.wav --prompt-text "I am Anna."',
        "cosyvoice speak --text-file story.txt --model CosyVoice2-0.5B-f16 --voice anna --seed 7 --speed 1.1",
      ),
    )
    .action(async (text: string | undefined, options: Options, command: Command) => {
      requireEnding(options.output, "WAV");
      if (options.output !== STDOUT) await requireWritable(options.output);
      if (options.spectrogram !== undefined) {
        requireEnding(options.spectrogram, "PNG");
        await requireWritable(options.spectrogram);
      }
      const spoken = await speak(
        options.textStream
          ? incomingText(text, options.textFile, command)
          : await textOf(text, options.textFile, command),
        options,
        globalOptions(command).adapter,
      );
      warn(spoken.speech.warnings);
      // The WAV itself may have gone to stdout.
      const out = options.output === STDOUT ? process.stderr : process.stdout;
      out.write(options.json ? `${JSON.stringify(facts(spoken, options), null, 2)}\n` : summary(spoken, options));
      if (options.spectrogram !== undefined) {
        await drawSpectrogram(options.spectrogram, spoken.speech, spoken.tts.config.mel);
      }
    });
}

interface Spoken {
  readonly speech: Speech;
  readonly tts: Pick<CosyVoice, "adapter" | "config" | "dtype">;
  /** As it was before the engine let go of everything. */
  readonly memory: CosyVoice["memory"];
}

async function speak(
  text: string | AsyncIterable<string>,
  options: Options,
  adapter: string | undefined,
): Promise<Spoken> {
  const { seed, speed, normalize: normalizer, dtype, output, mode, instruct, compat } = options;
  checkRequest(text, { seed, speed });
  const model = modelFolder(options.model);
  const named = await findVoice(options, model);
  await checkVoice(named);
  const tts = await loadModel(model, { adapter, dtype, voice: namedVoice(named) });
  try {
    tellAdapter(tts);
    const chosen = await voiceOf(tts, named);
    const speech = await withProgress("speaking", (hooks) =>
      tts.speak(text, {
        ...(chosen === undefined ? {} : { voice: chosen }),
        ...(mode === undefined ? {} : { mode }),
        ...(instruct === undefined ? {} : { instruct }),
        ...(compat === undefined ? {} : { compat }),
        seed,
        speed,
        normalizer,
        ...hooks,
      }),
    );
    const wav = encodeWav(speech.samples, speech.sampleRate);
    if (output === STDOUT) await writeStdout(wav);
    else await atomicWrite(output, wav);
    return { speech, tts, memory: tts.memory };
  } finally {
    tts.destroy();
  }
}

function facts({ speech, tts, memory }: Spoken, { output, seed, speed, normalize }: Options) {
  const { samples, sampleRate, tokens, stop, segments, timings, dispatchesPerToken, lmSubmits } = speech;
  const seconds = samples.length / sampleRate;
  return {
    output,
    seconds,
    samples: samples.length,
    sampleRate,
    tokens,
    stop,
    realTimeFactor: seconds > 0 ? timings.total / 1000 / seconds : null,
    milliseconds: timings,
    dispatchesPerToken,
    lmSubmits,
    segments,
    warnings: speech.warnings,
    voice: speech.voice,
    mode: speech.mode,
    seed,
    speed,
    normalizer: normalize,
    dtype: tts.dtype,
    adapter: tts.adapter,
    pipelines: memory.pipelines,
    gpuBytesPeak: memory.peak,
    residentBytesPeak: process.resourceUsage().maxRSS * 1024,
  };
}

function summary(spoken: Spoken, options: Options): string {
  const { seconds, tokens, stop, realTimeFactor, milliseconds: ms, ...rest } = facts(spoken, options);
  const stopped = stop === "length" ? "at the greatest length" : `by ${stop}`;
  const lm = ms.lmPrefill + ms.lmDecode;
  const tokensPerSecond = ms.lmDecode > 0 ? (1000 * tokens) / ms.lmDecode : 0;
  const row = (stage: string, time: number, more = "") =>
    `  ${stage.padEnd(15)}${time.toFixed(0).padStart(7)} ms${more}`;
  return [
    `${options.output}: ${seconds.toFixed(2)} s of audio, ${tokens} speech tokens, stopped ${stopped}`,
    `real-time factor ${realTimeFactor?.toFixed(2) ?? "-"} (${(ms.total / 1000).toFixed(2)} s of work), voice ${rest.voice} (${rest.mode}), seed ${options.seed}, ${rest.dtype} weights`,
    row("text", ms.text),
    row(
      "language model",
      lm,
      `  ${ms.lmPrefill.toFixed(0)} ms to the first token, then ${tokensPerSecond.toFixed(1)} tokens/s; ${rest.dispatchesPerToken.toFixed(0)} dispatches per token, ${rest.lmSubmits} submits`,
    ),
    row("flow", ms.flow),
    row("vocoder", ms.vocoder),
    `  ${rest.pipelines} pipelines, ${(rest.gpuBytesPeak / 1e6).toFixed(0)} MB of GPU memory at most, ${(rest.residentBytesPeak / 1e6).toFixed(0)} MB resident at most`,
    "",
  ].join("\n");
}
