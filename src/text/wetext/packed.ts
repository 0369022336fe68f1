/**
 * How grammars are carried: gzip over an OpenFst file whose numbers stand in columns, which makes a third of what gzip makes of the
 * file itself. `scripts/pack_grammars.py` writes them.
 */
import type { RandomAccessFile } from "../../checkpoint/source.js";
import { FileError } from "../../errors.js";
import { ARC_BYTES, type Fst, HEADER_BYTES, readFst, STATE_BYTES } from "./fst.js";

/** Longest packed file and longest unpacked one, several times those that are carried. */
const MAX_PACKED = 1 << 22;
const MAX_UNPACKED = 1 << 26;
/** Columns: arc count and final weight of each state; input, output, weight and next state of each arc. */
const STATE_COLUMNS = 2;
const ARC_COLUMNS = 4;
const WORD = 4;

/** @throws FileError when the file is no packed transducer. */
export async function readPackedFst(file: RandomAccessFile): Promise<Fst> {
  if (file.size > MAX_PACKED)
    throw new FileError(`${file.name}: ${file.size} bytes, a grammar has at most ${MAX_PACKED}`);
  const packed = await file.read(0, file.size);
  return readFst(unpackFst(await inflate(packed, file.name), file.name), file.name);
}

async function inflate(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip"));
    for (const reader = stream.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > MAX_UNPACKED) throw new FileError(`${name}: it unpacks to more than ${MAX_UNPACKED} bytes`);
      chunks.push(value);
    }
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`${name}: not a gzip file, or a damaged one`, { cause: error });
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/**
 * The OpenFst file, byte for byte.
 * @param columns the header; then columns of 32-bit words: arc counts [S], final weights [S], input labels [A], output labels [A],
 * weights [A], next states [A] as zigzag differences; of each column all lowest bytes, then all second bytes and so on
 * @throws FileError when the lengths do not fit together.
 */
export function unpackFst(columns: Uint8Array, name: string): Uint8Array {
  const fail = (what: string): never => {
    throw new FileError(`${name}: ${what}; it is not a packed grammar`);
  };
  if (columns.length < HEADER_BYTES) fail(`${columns.length} bytes are less than a header`);
  const states = new DataView(columns.buffer, columns.byteOffset).getUint32(HEADER_BYTES - 16, true);
  const arcs = (columns.length - HEADER_BYTES - states * STATE_COLUMNS * WORD) / (ARC_COLUMNS * WORD);
  if (!(arcs >= 0 && Number.isInteger(arcs))) fail(`${columns.length} bytes cannot hold ${states} states`);

  let at = HEADER_BYTES;
  const column = (count: number): Uint32Array => {
    const words = new Uint32Array(count);
    for (let shift = 0; shift < 32; shift += 8) {
      for (let i = 0; i < count; i++) words[i] = (words[i] as number) | ((columns[at++] as number) << shift);
    }
    return words;
  };
  const [counts, finals] = [column(states), column(states)];
  const [inputs, outputs, weights, steps] = [column(arcs), column(arcs), column(arcs), column(arcs)];
  if (counts.reduce((sum, count) => sum + count, 0) !== arcs) fail(`its states do not have ${arcs} arcs`);

  const file = new Uint8Array(HEADER_BYTES + states * STATE_BYTES + arcs * ARC_BYTES);
  file.set(columns.subarray(0, HEADER_BYTES));
  const out = new DataView(file.buffer);
  let [to, arc, next] = [HEADER_BYTES, 0, 0];
  for (let state = 0; state < states; state++) {
    out.setUint32(to, finals[state] as number, true);
    out.setUint32(to + 4, counts[state] as number, true);
    to += STATE_BYTES;
    for (const end = arc + (counts[state] as number); arc < end; arc++, to += ARC_BYTES) {
      const step = steps[arc] as number;
      next += (step >>> 1) ^ -(step & 1);
      out.setUint32(to, inputs[arc] as number, true);
      out.setUint32(to + 4, outputs[arc] as number, true);
      out.setUint32(to + 8, weights[arc] as number, true);
      out.setInt32(to + 12, next, true);
    }
  }
  return file;
}
