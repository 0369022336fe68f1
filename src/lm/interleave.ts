/**
 * The order of text and speech when text arrives bit by bit: n text ids, m speech ids, n text ids, … and, when the text has ended, what
 * is left of it, the task mark, and speech up to its end. After every m speech ids stands the fill id, chosen but never fed.
 * (CosyVoice 2, section 2.2, "unified text-speech language model"; `Qwen2LM.inference_bistream` upstream.)
 */
import type { LmConfig } from "../config.js";
import { BEGIN, type Piece, TASK } from "./session.js";

/** Rows to feed, and what may be chosen after them. */
export interface Block {
  readonly rows: readonly Piece[];
  /** Codes that may follow before the fill id must; undefined in the last block, which ends with the end id. */
  readonly room: number | undefined;
}

export interface InterleaveInput {
  readonly promptTextIds: ArrayLike<number>;
  readonly promptSpeechIds: ArrayLike<number>;
  /** Ids of the text to speak, as they come. */
  readonly text: AsyncIterable<number> | Iterable<number>;
  /**
   * As upstream: the last block feeds the row again that came last before it, and speech of the prompt that no text stands beside
   * yet is dropped. By default neither.
   */
  readonly compatOfficial?: boolean;
}

const text = (ids: readonly number[]): Piece => ({ table: "text", ids });
const speech = (ids: readonly number[]): Piece => ({ table: "speech", ids });

/** Yields blocks; `next(codes)` answers each but the last with the codes chosen after it, without the fill id. */
export async function* interleave(
  { mixRatio: [textRun, speechRun] }: Pick<LmConfig, "mixRatio">,
  input: InterleaveInput,
): AsyncGenerator<Block, void, readonly number[]> {
  const { compatOfficial = false } = input;
  const waiting = Array.from(input.promptTextIds);
  const prompt = Array.from(input.promptSpeechIds);
  let rows: Piece[] = [BEGIN];
  // Codes until the prompt's last run of speech is full.
  let room = speechRun - (prompt.length % speechRun);
  let begun = false;

  for await (const id of input.text) {
    waiting.push(id);
    while (prompt.length > 0 && waiting.length >= textRun) {
      rows.push(text(waiting.splice(0, textRun)), speech(prompt.splice(0, speechRun)));
    }
    if (prompt.length > 0) continue;
    if (begun || rows.length === 1) {
      if (waiting.length < textRun) continue;
      const run = text(waiting.splice(0, textRun));
      rows = begun ? [run] : [...rows, run];
    }
    const codes = yield { rows, room };
    begun = true;
    room = speechRun;
    if (!compatOfficial) rows = [];
    else if (codes.length > 0) rows = [speech(codes.slice(-1))];
  }
  const left = compatOfficial ? [] : [speech(prompt)];
  yield { rows: [...rows, text(waiting), TASK, ...left], room: undefined };
}
