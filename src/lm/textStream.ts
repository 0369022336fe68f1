/**
 * Speech ids for a text that arrives bit by bit. Between two runs of text the sampler decodes on the GPU, one submit for a whole run of
 * speech; the host waits once a run, to know where the fill id stands.
 */
import { DONE } from "../../kernels/draw.js";
import { stopIds } from "../config.js";
import { checkCancelled, DeviceError, InputError } from "../errors.js";
import type { ResidentTensor } from "../gpu/tensor.js";
import { type Generated, STOPS } from "./generate.js";
import { type InterleaveInput, interleave } from "./interleave.js";
import type { Rules } from "./sampling.js";
import { type Backbone, rowsOf, Session } from "./session.js";

export interface TextStreamRequest extends InterleaveInput {
  readonly seed: number;
  readonly stream?: string;
  /** Most tokens per text id, the model's own ratio by default: a model that never ends would speak for ever. */
  readonly maxRatio?: number;
  /** Take the best id instead of drawing. */
  readonly greedy?: boolean;
  readonly signal?: AbortSignal;
}

/** What a stream ends with. */
export interface StreamEnd extends Pick<Generated, "stop"> {
  readonly dispatchesPerToken: number;
  readonly submits: number;
}

/** A stream whose text is known: what was recorded of it is replayed. */
export interface RecordedStream extends InterleaveInput {
  readonly text: Iterable<number>;
}

/** Positions a session can hold: two and a half minutes of speech with its text. */
const POSITIONS = 6144;

/** Codes decoded per submit after the text has ended. */
const LAST_RUN = 8;

/**
 * Yields speech ids in runs, as they are chosen, and returns why they ended.
 * @throws InputError for ids the model has not, or when text and speech outgrow a session; CancelledError when the signal fires.
 * Either way, and when the caller stops early, everything is freed.
 */
export async function* generateStream(
  backbone: Backbone,
  request: TextStreamRequest,
): AsyncGenerator<Int32Array, StreamEnd> {
  const { config, device } = backbone;
  const { seed, stream = "lm", greedy = false, maxRatio = config.maxRatio, signal, compatOfficial = false } = request;
  const fill = stopIds(config)[2];
  const positions = Math.min(POSITIONS, config.maxPositions);
  const base = { mode: greedy ? "greedy" : "sample", maxLen: positions, seed, stream } as const;
  // Inside the text only the fill id may stop a run. Upstream masks the end id alone, and fails on the reserved one.
  const inside: Rules = { ...base, minLen: positions, maskedStops: compatOfficial ? 1 : 2 };
  const last: Rules = { ...base, minLen: 0, maskedStops: 0 };

  let textCount = 0;
  async function* counted(): AsyncGenerator<number> {
    for await (const id of request.text) {
      textCount++;
      yield id;
    }
  }

  const session = new Session(backbone, { positions, tokens: positions });
  /** Ids chosen so far, fill ids among them, and rows in the cache. */
  let chosen = 0;
  let held = 0;
  const hold = (rows: number): void => {
    held += rows;
    if (held > positions) {
      throw new InputError(
        `text that streams in: ${held} positions of text and speech, at most ${positions} fit; start a new stream at a sentence's end`,
      );
    }
  };
  /** Feeds one row per step and chooses the next id after each. @returns codes chosen since `chosen`, and what stopped them */
  const decode = async (steps: number, rules: Rules): Promise<{ codes: Int32Array; done: number }> => {
    if (steps > 0) {
      await session.ready(steps, rules);
      const encoder = device.gpu.createCommandEncoder({ label: "decoding a run" });
      for (let i = 0; i < steps; i++) session.encode(encoder);
      device.gpu.queue.submit([encoder.finish()]);
      session.submits++;
    }
    const [, , step = 0, done = 0] = await readInts(session.state);
    checkCancelled(signal, "the language model");
    if (done === DONE.broken) {
      throw new DeviceError(
        `token ${step}: the language model's logits are no numbers; the weights are damaged or the driver computes wrongly (try "cosyvoice doctor")`,
      );
    }
    const all = await readInts(session.tokens);
    return { codes: all.subarray(chosen, step), done };
  };
  const readInts = async (tensor: ResidentTensor): Promise<Int32Array> =>
    new Int32Array((await device.readU32(tensor)).buffer);

  const ended = (stop: Generated["stop"]): StreamEnd => {
    const { dispatchesPerToken, submits } = session;
    return { stop, dispatchesPerToken, submits };
  };
  try {
    const blocks = interleave(config, { ...request, text: counted() });
    for (let answer: readonly number[] = []; ; ) {
      const { value: block, done: over } = await blocks.next(answer);
      if (over) return ended("eos");
      checkCancelled(signal, "the language model");
      const { rows, room } = block;
      hold(rowsOf(rows) + (room ?? 0));
      await session.feed(rows, chosen, room === undefined ? last : inside);
      if (room === undefined) break;
      // Choosing from the fed rows, then from every code: the last choice, where fill must stand, does not count.
      const { codes: tried, done } = await decode(room, inside);
      const codes = tried.slice(0, room);
      if (done === DONE.reserved || done === DONE.eos) {
        throw new DeviceError(
          `token ${chosen + codes.length}: a stop id inside the text; only codes and the fill id ${fill} may stand there`,
        );
      }
      held -= room - codes.length;
      session.accept(codes.length);
      chosen += codes.length;
      device.write(session.tokens, Int32Array.of(fill), 4 * chosen);
      chosen++;
      if (codes.length > 0) yield codes;
      answer = Array.from(codes);
    }
    const most = Math.min(positions - held, Math.ceil(textCount * maxRatio));
    let given = 0;
    for (let steps = 0; given < most; steps = Math.min(LAST_RUN, most - given)) {
      const { codes, done } = await decode(steps, last);
      chosen += codes.length;
      given += codes.length;
      session.accept(steps);
      if (codes.length > 0) yield codes.slice();
      if (done !== DONE.running) return ended(STOPS[done] ?? "length");
    }
    return ended("length");
  } finally {
    session.destroy();
  }
}

/**
 * Logits [ids, V] at every choice along a recorded run: `ids` holds what was chosen, fill ids and the
 * last end id included. The text comes one id at a time, in upstream's order of rows.
 * @throws InputError when the recorded run cannot have come from this text
 */
export async function streamLogits(
  backbone: Backbone,
  input: RecordedStream,
  ids: ArrayLike<number>,
): Promise<Float32Array> {
  const { config, device } = backbone;
  const fill = stopIds(config)[2];
  const vocab = config.speechRows;
  const recorded = Array.from(ids);
  const rules: Rules = { mode: "forced", minLen: 0, maxLen: recorded.length + 1, maskedStops: 0, seed: 0, stream: "" };
  const out = new Float32Array(recorded.length * vocab);
  const positions = Math.min(POSITIONS, config.maxPositions);
  const session = new Session(backbone, { positions, tokens: recorded.length + 1 }, recorded);
  const rows = device.tensor("stream logits", [recorded.length, vocab]);
  try {
    const blocks = interleave(config, input);
    let at = 0;
    for (let answer: readonly number[] = []; at < recorded.length; ) {
      const { value: block, done } = await blocks.next(answer);
      if (done) throw new InputError(`out_ids: ${recorded.length - at} ids are left after the end of the text`);
      // A run ends with its fill id, the last one with the end of the record.
      const length = block.room === undefined ? recorded.length - at : recorded.indexOf(fill, at) + 1 - at;
      if (length <= 0 || (block.room !== undefined && length > block.room + 1)) {
        throw new InputError(`out_ids: no fill id ${fill} among the ${(block.room ?? 0) + 1} ids from number ${at} on`);
      }
      await session.feed(block.rows, at, rules, { logitsTo: rows });
      out.set((await device.read(rows)).subarray(0, vocab), at * vocab);
      if (length > 1) {
        await session.ready(length - 1, rules);
        const encoder = device.gpu.createCommandEncoder({ label: "forced run" });
        for (let i = 0; i < length - 1; i++) session.encode(encoder, { tensor: rows, offset: i * vocab * 4 });
        device.gpu.queue.submit([encoder.finish()]);
        out.set((await device.read(rows)).subarray(0, (length - 1) * vocab), (at + 1) * vocab);
        session.accept(length - 1);
      }
      answer = recorded.slice(at, at + length - 1);
      at += length;
    }
    return out;
  } finally {
    device.release(rows.buffer);
    session.destroy();
  }
}
