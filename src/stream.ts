/**
 * When streamed speech is computed: the chunk schedule of the official code (`CosyVoice2Model.tts` at HEAD). It depends on
 * token counts alone, never on timing, so a replay makes the same chunks. Unlike there, the hop starts anew for every utterance.
 */
import { InputError } from "./errors.js";
import type { Flow } from "./flow/flow.js";
import { VocoderStream, type VocoderStreamOptions } from "./vocoder/streaming.js";
import type { Vocoder } from "./vocoder/vocoder.js";

/** Tokens of the first hop; the length of the attention chunk that streaming was trained with. */
export const FIRST_HOP = 25;

/** Hops double up to this. */
export const MAX_HOP = 100;

/** One call of the flow and the vocoder. */
export interface Chunk {
  /** First new token. */
  readonly offset: number;
  /** The flow sees tokens 0 .. end; the look-ahead is part of them. */
  readonly end: number;
  /** The last chunk sees everything, with full attention, and holds nothing back. */
  readonly final: boolean;
}

export interface ScheduleOptions {
  /** Tokens of the voice's prompt in front. */
  readonly promptTokens: number;
  /** Tokens a chunk that is not final looks ahead. */
  readonly lookahead: number;
}

/**
 * The next chunk that `available` tokens allow, or undefined when more must come first. A first hop is lengthened so that prompt
 * and hop together are a multiple of the hop: the chunks stay aligned with the attention mask.
 * @param offset tokens already spoken
 * @param finished no more tokens will come
 */
export function nextChunk(
  offset: number,
  hop: number,
  available: number,
  finished: boolean,
  { promptTokens, lookahead }: ScheduleOptions,
): { readonly chunk: Chunk; readonly hop: number } | undefined {
  const length = offset === 0 ? Math.ceil(promptTokens / hop) * hop - promptTokens + hop : hop;
  const end = offset + length + lookahead;
  if (available >= end) return { chunk: { offset, end, final: false }, hop: Math.min(MAX_HOP, 2 * hop) };
  return finished ? { chunk: { offset, end: available, final: true }, hop } : undefined;
}

/** All chunks of an utterance whose tokens are known. @throws InputError when there are none. */
export function chunkSchedule(tokens: number, options: ScheduleOptions): Chunk[] {
  if (tokens < 1) throw new InputError("stream: there are no speech tokens; at least one is needed");
  const chunks: Chunk[] = [];
  for (let offset = 0, hop = FIRST_HOP; ; ) {
    const next = nextChunk(offset, hop, tokens, true, options);
    if (!next) return chunks;
    chunks.push(next.chunk);
    if (next.chunk.final) return chunks;
    offset = next.chunk.end - options.lookahead;
    hop = next.hop;
  }
}

/** Speech tokens, and the voice they are spoken in. */
export interface TokensToSpeak {
  readonly token: Int32Array; // [S]
  readonly promptToken: Int32Array; // [P]
  readonly promptFeat: Float32Array; // [P · tokenMelRatio, melBins]
  readonly embedding: Float32Array; // [speakerWidth]
}

/**
 * The samples of an utterance chunk by chunk. Every chunk runs the flow over the prompt and all tokens so far and keeps what is new.
 * The last one is computed with full attention, as upstream.
 */
export async function* streamSpeech(
  flow: Flow,
  vocoder: Vocoder,
  { token, ...voice }: TokensToSpeak,
  options: VocoderStreamOptions,
): AsyncGenerator<Float32Array> {
  const { lookahead, melBins } = flow.config;
  const out = new VocoderStream(vocoder, options);
  for (const { offset, end, final } of chunkSchedule(token.length, {
    promptTokens: voice.promptToken.length,
    lookahead,
  })) {
    const { mel } = await flow.run({
      ...voice,
      token: token.subarray(0, end),
      streaming: !final,
      finalize: final,
      ...(options.signal ? { signal: options.signal } : {}),
    });
    yield await out.push(mel.subarray(offset * flow.tokenMelRatio * melBins), final);
  }
}
