/**
 * A voice, and what each way of speaking with it gives to the language model and to the flow.
 *
 * | mode          | language model                                    | flow                       |
 * | ------------- | ------------------------------------------------- | -------------------------- |
 * | sft           | the text                                          | speaker                    |
 * | zero-shot     | transcript and text, then the recording's tokens  | speaker, tokens, mel       |
 * | cross-lingual | the text                                          | speaker, tokens, mel       |
 * | instruct      | instruction and text                              | speaker, tokens, mel       |
 *
 * (`CosyVoiceFrontEnd.frontend_*` upstream.)
 */
import { TRANSCRIPT, type VoiceEntry } from "./checkpoint/voiceEntry.js";
import { type Config, type FlowConfig, MODES, type Mode } from "./config.js";
import { FileError, InputError } from "./errors.js";

export { MODES, type Mode };

/** What a recording leaves behind. */
export interface VoicePrompt {
  /** Words of the recording; without them the voice cannot speak zero-shot. */
  readonly transcript?: string;
  /** The same as token ids, where a release stored those instead. */
  readonly transcriptIds?: readonly number[];
  /** Speech tokens [P], 25 a second. */
  readonly tokens: Int32Array;
  /** Of the tokenizer that made the tokens (`codebookOf`), where that is known. */
  readonly codebook?: string;
  /** Log-mel [M, melBins], a few frames more or less than P · tokenMelRatio. */
  readonly mel: Float32Array;
}

export interface Voice {
  readonly name: string;
  /** Speaker vector [speakerWidth], of any length. */
  readonly embedding: Float32Array;
  readonly prompt?: VoicePrompt;
  /** It comes from a file, not from a recording just heard; this matters for `compat` alone. */
  readonly kept?: true;
  /** What is doubtful about the recording it was just made of, a line each; whatever it speaks gives them too. */
  readonly warnings?: readonly string[];
}

/** What is given to the language model in front of a text, and to the flow in front of its tokens. */
export interface Prompted {
  readonly promptTextIds: readonly number[];
  readonly promptSpeechIds: Int32Array;
  readonly promptToken: Int32Array;
  readonly promptFeat: Float32Array;
  readonly embedding: Float32Array;
}

const NO_IDS = new Int32Array();

export interface ModeOptions {
  readonly mode?: Mode;
  /** How to speak, in words; makes the mode "instruct" unless another is asked for. */
  readonly instruct?: string;
}

/**
 * The mode that is asked for, or the one that makes most of the voice.
 * @param learned the model's modes (`Config.speaks`); absent: all
 * @throws InputError when voice, mode and model do not go together
 */
export function modeOf(
  { name, prompt }: Voice,
  { mode, instruct }: ModeOptions,
  learned: readonly Mode[] = MODES,
): Mode {
  const quoted = JSON.stringify(name);
  const spoken = prompt?.transcript !== undefined || prompt?.transcriptIds !== undefined;
  const best = instruct !== undefined ? "instruct" : !prompt ? "sft" : spoken ? "zero-shot" : "cross-lingual";
  const chosen = mode ?? best;
  if (chosen !== "sft" && !prompt) {
    throw new InputError(
      `voice ${quoted} holds a trained speaker and no recording; ${chosen} needs a voice made of a recording`,
    );
  }
  if (chosen === "zero-shot" && !spoken) {
    throw new InputError(
      `voice ${quoted} has no transcript, which zero-shot needs; give the words of its recording, or speak cross-lingual`,
    );
  }
  if (chosen === "instruct" && (instruct ?? "").trim() === "") {
    throw new InputError('mode instruct: there is no instruction; say how to speak, e.g. "Speak slowly and softly."');
  }
  if (!learned.includes(chosen)) {
    throw new InputError(
      `mode ${chosen}: this model was not trained for it${chosen === "instruct" ? " and would read the instruction aloud" : ""}; it has ${learned.join(", ")}; use one of these, or another model`,
    );
  }
  if (chosen !== "instruct" && instruct !== undefined) {
    throw new InputError(`mode ${chosen} takes no instruction; leave out the mode, or the instruction`);
  }
  return chosen;
}

/** @param promptTextIds of the transcript or the instruction, whichever the mode speaks after */
export function promptedBy(
  { embedding, prompt }: Voice,
  mode: Mode,
  promptTextIds: readonly number[],
  sizes: PromptSizes,
): Prompted {
  const heard = mode !== "sft" && prompt ? aligned(prompt, sizes) : undefined;
  return {
    promptTextIds: mode === "zero-shot" || mode === "instruct" ? promptTextIds : [],
    promptSpeechIds: mode === "zero-shot" && heard ? heard.tokens : NO_IDS,
    promptToken: heard?.tokens ?? NO_IDS,
    promptFeat: heard?.mel ?? new Float32Array(),
    embedding,
  };
}

export type PromptSizes = Pick<Config, "mel" | "tokenMelRatio">;

/** Cuts tokens and mel to the same length: every token stands for `tokenMelRatio` frames, and recordings end in between. */
export function aligned(
  { tokens, mel }: Pick<VoicePrompt, "tokens" | "mel">,
  { mel: { bins }, tokenMelRatio }: PromptSizes,
): Pick<VoicePrompt, "tokens" | "mel"> {
  const count = Math.min(tokens.length, Math.floor(mel.length / bins / tokenMelRatio));
  return { tokens: tokens.slice(0, count), mel: mel.slice(0, count * tokenMelRatio * bins) };
}

/** An entry of `spk2info.pt`, of either kind. @throws FileError when it holds no speaker, or tensors of other sizes than the flow's */
export function voiceOf(name: string, entry: VoiceEntry, flow: FlowConfig, file: string): Voice {
  const where = `${file}: voice ${JSON.stringify(name)}`;
  const floats = (key: string, width: number): Float32Array | undefined => {
    const tensor = entry[key];
    if (!tensor) return undefined;
    const data = Float32Array.from(tensor.data);
    const wrong = data.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0)
      throw new FileError(`${where}: value ${wrong} of ${key} is ${data[wrong]}, no number; make the voice again`);
    if (data.length === 0 || data.length % width !== 0 || (key !== "prompt_speech_feat" && data.length !== width)) {
      throw new FileError(`${where}: ${key} has ${data.length} values, the flow takes ${width}`);
    }
    return data;
  };
  const embedding =
    floats("embedding", flow.speakerWidth) ??
    floats("flow_embedding", flow.speakerWidth) ??
    floats("llm_embedding", flow.speakerWidth);
  if (!embedding) throw new FileError(`${where} has no speaker vector; make the voice again`);
  const mel = floats("prompt_speech_feat", flow.melBins);
  const tokens = entry.flow_prompt_speech_token ?? entry.llm_prompt_speech_token;
  if (!mel || !tokens) return { name, embedding };
  const codes = Int32Array.from(tokens.data);
  const wrong = codes.findIndex((id) => id < 0 || id >= flow.codes);
  if (wrong >= 0)
    throw new FileError(`${where}: speech token ${wrong} is ${codes[wrong]}; the flow has 0 to ${flow.codes - 1}`);
  const transcript = wordsOf(entry, where);
  const ids = entry.prompt_text;
  const spoken =
    transcript !== undefined
      ? { transcript }
      : ids && ids.data.length > 0
        ? { transcriptIds: Array.from(ids.data) }
        : {};
  return { name, embedding, prompt: { tokens: codes, mel, ...spoken }, kept: true };
}

/** The words of the recording, where they are kept as text. */
function wordsOf(entry: VoiceEntry, where: string): string | undefined {
  const letters = Array.from(entry[TRANSCRIPT]?.data ?? []);
  const wrong = letters.findIndex((letter) => !(Number.isInteger(letter) && letter >= 0 && letter <= 0x10ffff));
  if (wrong >= 0) throw new FileError(`${where}: letter ${wrong} of its words is ${letters[wrong]}, no code point`);
  const words = letters.map((letter) => String.fromCodePoint(letter)).join("");
  return words.trim() === "" ? undefined : words;
}
