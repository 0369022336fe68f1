/** From what is asked for to what the stages take: segments of text, and what stands before each. */
import { waysOf } from "./compat.js";
import type { Config } from "./config.js";
import { type ConvertOptions, MAX_CHARACTERS, type SpeakOptions } from "./speech.js";
import { type IncomingSegment, incomingSegments } from "./text/incoming.js";
import { normalize, type TextNormalizer } from "./text/normalize.js";
import { OfficialReader, type Reading, SentenceReader } from "./text/read.js";
import type { Language } from "./text/split.js";
import { END_OF_PROMPT, keepingTags } from "./text/tags.js";
import { prepareText, type ReadOptions, type ReadText, readText, readTranscript, type Segment } from "./text/text.js";
import type { Tokenizer } from "./text/tokenizer.js";
import type { Wetext } from "./text/wetext/wetext.js";
import { type Mode, type Prompted, promptedBy, type Voice } from "./voice.js";
import { foreignTokens, instructionInTranscript, tooMuchText, unlikelyTranscript } from "./warnings.js";

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
  readonly wetext: Pick<Wetext, "normalizerFor" | "normalizerOf">;
  readonly config: Pick<Config, "lm" | "mel" | "tokenMelRatio" | "segmentLength" | "segmentLimit" | "speaks">;
  /** Of the model's speech tokenizer, where it has one (`codebookOf`). */
  readonly codebook?: string | undefined;
}

/** How a text is to be read. */
export type ReadingWays = Pick<SpeakOptions, "normalizer" | "compat">;

/** @throws InputError for a text that holds nothing to speak */
export async function prepare(
  text: string,
  voice: Voice,
  mode: Mode,
  options: SpeakOptions,
  reader: Reader,
): Promise<Prepared> {
  const { segments, warnings: unsaid } = await readSegments(text, options, reader);
  const { transcript, prompted, warnings } = await preparePrompt(voice, mode, options, reader);
  return { segments, prompted, transcript, warnings: [...warnings, ...unsaid] };
}

/** The segments of a whole text. @throws InputError for a text that holds nothing to speak */
export async function readSegments(text: string, ways: ReadingWays, reader: Reader): Promise<ReadText> {
  if (waysOf(ways.compat).textRead) return readText(text, readOptions(ways, reader));
  const { tokenizer, config } = reader;
  const normalizer = await normalizerFor(text, ways, reader);
  return { segments: prepareText(text, { tokenizer, normalizer, segmentLength: config.segmentLength }), warnings: [] };
}

/** The words of a recording, in one piece. */
export async function readWords(transcript: string, ways: ReadingWays, reader: Reader): Promise<string> {
  if (waysOf(ways.compat).textRead) return readTranscript(transcript, readOptions(ways, reader));
  const normalizer = await normalizerFor(transcript, ways, reader);
  return normalize(transcript, { tokenizer: reader.tokenizer, normalizer, split: false });
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
  const { tokenizer, config } = reader;
  const segments = incomingSegments(text, {
    tokenizer,
    reading: readingOf(options, reader),
    segmentLength: config.segmentLength,
    segmentLimit: config.segmentLimit,
    maxCharacters: MAX_CHARACTERS,
    onTooMuch: () => all.push(tooMuchText(MAX_CHARACTERS)),
    warn: (warning) => all.push(warning),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { segments, ...prompt, warnings: all };
}

/** Who reads the sentences of a text that arrives bit by bit. */
function readingOf(ways: ReadingWays, reader: Reader): Reading | "words" {
  const { tokenizer, config } = reader;
  const isOurs = waysOf(ways.compat).textRead;
  // What a model cannot say is left out even where nothing else is rewritten.
  if (ways.normalizer === "none" && !(isOurs && config.speaks)) return "words";
  if (isOurs) return new SentenceReader(readOptions(ways, reader));
  return new OfficialReader(async (sentence) => ({
    tokenizer,
    normalizer: await normalizerFor(sentence, ways, reader),
    segmentLength: config.segmentLength,
  }));
}

function readOptions({ normalizer }: ReadingWays, { tokenizer, wetext, config }: Reader): ReadOptions {
  const { segmentLength, segmentLimit, speaks } = config;
  const grammars = normalizer === "none" ? normalizer : (language: Language) => wetext.normalizerOf(language);
  return { tokenizer, grammars, segmentLength, segmentLimit, abilities: speaks };
}

/** What stands before a text, whatever that will be. */
export async function preparePrompt(
  voice: Voice,
  mode: Mode,
  options: SpeakOptions,
  reader: Reader,
): Promise<Omit<Prepared, "segments">> {
  const { config } = reader;
  const { words, ids, warnings: marked } = await promptText(voice, mode, options, reader);
  const prompted = promptedBy(voice, mode, ids, config);
  const foreign = mode === "sft" ? [] : foreignTokens(voice, reader.codebook);
  const doubts = [...(voice.warnings ?? []), ...foreign];
  if (mode !== "zero-shot" || !config.lm) return { transcript: "", prompted, warnings: doubts };
  const unlikely = unlikelyTranscript(voice.name, ids.length, prompted.promptToken.length, config.lm);
  return { transcript: words, prompted, warnings: [...doubts, ...marked, ...unlikely] };
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
): Promise<{ words: string; ids: readonly number[]; warnings: readonly string[] }> {
  const { instruct, compat } = options;
  const { tokenizer } = reader;
  const ways = waysOf(compat);
  const transcript = () => prompt?.transcript ?? tokenizer.decode(prompt?.transcriptIds ?? []);
  const asWritten = () => {
    const words = transcript();
    return { words, ids: prompt?.transcriptIds ?? tokenizer.encode(words), warnings: [] };
  };
  if (mode === "instruct" && instruct !== undefined) {
    if (kept && !ways.instructionHeard) return asWritten();
    const marked = instruct.includes(END_OF_PROMPT) || !ways.instructionMarked;
    const words = marked ? instruct : `${instruct.trim()}${END_OF_PROMPT}`;
    return { words, ids: tokenizer.encode(words), warnings: [] };
  }
  if (mode !== "zero-shot") return { words: "", ids: [], warnings: [] };
  if (kept && !ways.keptTranscriptNormalized) return asWritten();
  const { spoken, warnings } = ways.textRead
    ? withoutInstruction(transcript())
    : { spoken: transcript(), warnings: [] };
  const words = await readWords(spoken, options, reader);
  return { words, ids: tokenizer.encode(words), warnings };
}

/** CosyVoice3 wants an instruction before a transcript; here its words would be taken for the recording's. */
function withoutInstruction(transcript: string): { spoken: string; warnings: string[] } {
  const end = transcript.lastIndexOf(END_OF_PROMPT);
  if (end < 0) return { spoken: transcript, warnings: [] };
  return {
    spoken: transcript.slice(end + END_OF_PROMPT.length).trim(),
    warnings: [instructionInTranscript(END_OF_PROMPT)],
  };
}

/** Who reads the numbers of a text, or of one of its sentences, in the official way. */
async function normalizerFor(
  text: string,
  { normalizer, compat }: ReadingWays,
  { tokenizer, wetext }: Pick<Reader, "tokenizer" | "wetext">,
): Promise<"none" | TextNormalizer> {
  if (normalizer === "none") return "none";
  const official = await wetext.normalizerFor(text);
  return waysOf(compat).tagsKept ? keepingTags(official, tokenizer.specials.keys()) : official;
}
