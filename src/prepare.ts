/** From what is asked for to what the stages take: segments of text, and what stands before each. */
import { waysOf } from "./compat.js";
import type { Config } from "./config.js";
import { type ConvertOptions, MAX_CHARACTERS, type SpeakOptions } from "./speech.js";
import { type IncomingSegment, incomingSegments } from "./text/incoming.js";
import { normalize, type TextNormalizer } from "./text/normalize.js";
import { keepingTags } from "./text/tags.js";
import { prepareText, type Segment } from "./text/text.js";
import type { Tokenizer } from "./text/tokenizer.js";
import type { Wetext } from "./text/wetext/wetext.js";
import { END_OF_PROMPT, type Mode, type Prompted, promptedBy, type Voice } from "./voice.js";
import { foreignTokens, tooMuchText, unlikelyTranscript } from "./warnings.js";

export interface Prepared<Segments = readonly Segment[]> {
  readonly segments: Segments;
  readonly prompted: Prompted;
  /** The words of the recording as the model reads them; empty in modes that speak after none. */
  readonly transcript: string;
  readonly warnings: readonly string[];
}

/** What reads text. */
export interface Reader {
  readonly tokenizer: Tokenizer;
  readonly wetext: Pick<Wetext, "normalizerFor">;
  readonly config: Pick<Config, "lm" | "mel" | "tokenMelRatio" | "segmentLength">;
  /** Of the model's speech tokenizer, where it has one (`codebookOf`). */
  readonly codebook?: string | undefined;
}

/** @throws InputError for a text that holds nothing to speak */
export async function prepare(
  text: string,
  voice: Voice,
  mode: Mode,
  options: SpeakOptions,
  reader: Reader,
): Promise<Prepared> {
  const { tokenizer } = reader;
  const { segmentLength } = reader.config;
  const segments = prepareText(text, {
    tokenizer,
    normalizer: await normalizerFor(text, options, reader),
    segmentLength,
  });
  const { transcript, prompted, warnings } = await preparePrompt(voice, mode, options, reader);
  return { segments, prompted, transcript, warnings };
}

/** Nothing of the text is read before its segments are asked for; a warning may come with the last of them. */
export async function prepareStream(
  text: AsyncIterable<string>,
  voice: Voice,
  mode: Mode,
  options: SpeakOptions,
  reader: Reader,
): Promise<Prepared<AsyncIterable<IncomingSegment>>> {
  const { warnings, ...prompt } = await preparePrompt(voice, mode, options, reader);
  const all = [...warnings];
  const segments = incomingSegments(text, {
    tokenizer: reader.tokenizer,
    normalizer: options.normalizer === "none" ? "none" : (sentence) => normalizerFor(sentence, options, reader),
    maxCharacters: MAX_CHARACTERS,
    segmentLength: reader.config.segmentLength,
    onTooMuch: () => all.push(tooMuchText(MAX_CHARACTERS)),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { segments, ...prompt, warnings: all };
}

/** What stands before a text, whatever that will be. */
export async function preparePrompt(
  voice: Voice,
  mode: Mode,
  options: SpeakOptions,
  reader: Reader,
): Promise<Omit<Prepared, "segments">> {
  const { config } = reader;
  const { words, ids } = await promptText(voice, mode, options, reader);
  const prompted = promptedBy(voice, mode, ids, config);
  const foreign = mode === "sft" ? [] : foreignTokens(voice, reader.codebook);
  if (mode !== "zero-shot" || !config.lm) return { transcript: "", prompted, warnings: foreign };
  const unlikely = unlikelyTranscript(voice.name, ids.length, prompted.promptToken.length, config.lm);
  return { transcript: words, prompted, warnings: [...foreign, ...unlikely] };
}

/** What a conversion gives to the flow. */
export function prepareConversion(
  voice: Voice,
  { compat }: Pick<ConvertOptions, "compat">,
  config: Reader["config"],
): Prompted {
  const prompted = promptedBy(voice, voice.prompt ? "cross-lingual" : "sft", [], config);
  if (!voice.prompt || waysOf(compat).conversionPromptCut) return prompted;
  return { ...prompted, promptToken: voice.prompt.tokens, promptFeat: voice.prompt.mel };
}

/** The words that the language model takes for spoken before the text, and their ids. */
async function promptText(
  { prompt, kept }: Voice,
  mode: Mode,
  options: SpeakOptions,
  reader: Reader,
): Promise<{ words: string; ids: readonly number[] }> {
  const { instruct, compat } = options;
  const { tokenizer } = reader;
  const ways = waysOf(compat);
  const transcript = () => prompt?.transcript ?? tokenizer.decode(prompt?.transcriptIds ?? []);
  const asWritten = () => {
    const words = transcript();
    return { words, ids: prompt?.transcriptIds ?? tokenizer.encode(words) };
  };
  if (mode === "instruct" && instruct !== undefined) {
    if (kept && !ways.instructionHeard) return asWritten();
    const marked = instruct.includes(END_OF_PROMPT) || !ways.instructionMarked;
    const words = marked ? instruct : `${instruct.trim()}${END_OF_PROMPT}`;
    return { words, ids: tokenizer.encode(words) };
  }
  if (mode !== "zero-shot") return { words: "", ids: [] };
  if (kept && !ways.keptTranscriptNormalized) return asWritten();
  const written = transcript();
  const normalizer = await normalizerFor(written, options, reader);
  const words = normalize(written, { tokenizer, normalizer, split: false });
  return { words, ids: tokenizer.encode(words) };
}

/** Who reads the numbers of a text. */
export async function normalizerFor(
  text: string,
  { normalizer, compat }: Pick<SpeakOptions, "normalizer" | "compat">,
  { tokenizer, wetext }: Pick<Reader, "tokenizer" | "wetext">,
): Promise<"none" | TextNormalizer> {
  if (normalizer === "none") return "none";
  const official = await wetext.normalizerFor(text);
  return waysOf(compat).tagsKept ? keepingTags(official, tokenizer.specials.keys()) : official;
}
