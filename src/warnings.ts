/** What is likely to be heard in speech, and why; nothing of it is an error. */
import type { LmConfig } from "./config.js";
import type { SpokenSegment } from "./speech.js";
import { codePoints } from "./text/unicode.js";
import type { Voice } from "./voice.js";

/** A text shorter than this share of the transcript before it loses words or gains some (upstream's rule for its own warning). */
const LEAST_SHARE = 0.5;

/** @param transcript as the model reads it */
export function shortTexts(segments: readonly { readonly text: string }[], transcript: string): string[] {
  const length = codePoints(transcript);
  const short = segments.filter(({ text }) => codePoints(text) < LEAST_SHARE * length);
  return short.length === 0
    ? []
    : [
        `${some(short, segments)}: less than half as long as the transcript of the recording (${length} characters); words may be lost or added; speak more at once, or cut the recording`,
      ];
}

/** @param textIds of the transcript. @param speechTokens of the recording */
export function unlikelyTranscript(
  voice: string,
  textIds: number,
  speechTokens: number,
  { minRatio, maxRatio }: Pick<LmConfig, "minRatio" | "maxRatio">,
): string[] {
  if (speechTokens >= minRatio * textIds && speechTokens <= maxRatio * textIds) return [];
  const each = textIds === 0 ? "none" : `${(speechTokens / textIds).toFixed(1)} each`;
  return [
    `voice ${JSON.stringify(voice)}: ${textIds} text tokens and ${speechTokens} speech tokens, ${each} where ${minRatio} to ${maxRatio} are usual; the transcript must be the words of the recording, all of them and no others`,
  ];
}

/** @param codebook of the model's own tokenizer (`codebookOf`) */
export function foreignTokens(
  { name, prompt }: Pick<Voice, "name" | "prompt">,
  codebook: string | undefined,
): string[] {
  if (!prompt?.codebook || !codebook || prompt.codebook === codebook) return [];
  return [
    `voice ${JSON.stringify(name)}: another speech tokenizer than this model's heard its recording, whose tokens mean other sounds; make the voice again with this model`,
  ];
}

/** @param mark that ends an instruction */
export function instructionInTranscript(mark: string): string {
  return `the transcript holds ${mark}, as CosyVoice3 wants it; this model takes the words of the recording alone, so what stands before the mark was left out`;
}

export function tooMuchText(most: number): string {
  return `text: only the first ${most} characters of the stream were read; speak the rest in another call`;
}

export function cutSegments(segments: readonly SpokenSegment[]): string[] {
  const cut = segments.filter(({ stop }) => stop === "length");
  return cut.length === 0
    ? []
    : [
        `${some(cut, segments)}: stopped at the greatest length, not by itself; it may hold more than its text, or lack its end; try another seed`,
      ];
}

/** Names the first of some segments, and says how many there are. */
function some(few: readonly { readonly text: string }[], all: readonly unknown[]): string {
  const text = few[0]?.text ?? "";
  const start = Array.from(text.slice(0, 60)).slice(0, 30).join("");
  const quoted = JSON.stringify(start.length < text.length ? `${start}…` : text);
  if (all.length === 1) return quoted;
  return few.length === 1 ? `segment ${quoted}` : `${few.length} of ${all.length} segments, first ${quoted}`;
}
