/** OpenFst's files of weighted transducers over bytes: type "vector", arcs "standard", version 2. */
import { FileError } from "../../errors.js";

/**
 * A transducer with S states and A arcs. The arcs of state s are those from `first[s]` to `first[s + 1]`, by input label;
 * labels are bytes of UTF-8, and 0 (epsilon) reads or writes nothing. No cycle of arcs reads nothing.
 */
export interface Fst {
  readonly start: number;
  /** [S + 1] */
  readonly first: Int32Array;
  /** Weight of ending in a state [S]; infinite where that is not allowed. */
  readonly final: Float32Array;
  /** [A] each */
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly weight: Float32Array;
  readonly next: Int32Array;
  /**
   * 256 bits for every state [8 S]: bit b says that byte b may be read next, after any number of epsilons; bit 0 that the text
   * may end.
   */
  readonly ahead: Uint32Array;
}

/** Words of a state's set in `ahead`. */
export const AHEAD_WORDS = 8;

export const FST_MAGIC = 0x7eb2fdd6;
/** Bytes before the first state, and of one state and one arc. */
export const HEADER_BYTES = 66;
export const STATE_BYTES = 12;
export const ARC_BYTES = 16;
const VERSION = 2;
const TYPES = ["vector", "standard"];

/** @throws FileError when the bytes are anything else than a transducer as above. */
export function readFst(bytes: Uint8Array, name: string): Fst {
  const fail = (what: string): never => {
    throw new FileError(`${name}: ${what}`);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { start, states } = readHeader(view, fail);

  const most = Math.floor((bytes.length - HEADER_BYTES - states * STATE_BYTES) / ARC_BYTES);
  const first = new Int32Array(states + 1);
  const final = new Float32Array(states);
  const input = new Uint8Array(most);
  const output = new Uint8Array(most);
  const weight = new Float32Array(most);
  const next = new Int32Array(most);
  let at = HEADER_BYTES;
  let arc = 0;
  for (let state = 0; state < states; state++) {
    const end = view.getFloat32(at, true);
    if (Number.isNaN(end) || end === Number.NEGATIVE_INFINITY) fail(`state ${state} has the final weight ${end}`);
    final[state] = end;
    const count = count64(view, at + 4);
    if (count > most - arc) fail(`state ${state} claims ${count} arcs, the file has room for ${most - arc}`);
    at += STATE_BYTES;
    for (let last = 0, to = arc + count; arc < to; arc++, at += ARC_BYTES) {
      const [label, out] = [view.getInt32(at, true), view.getInt32(at + 4, true)];
      const [cost, target] = [view.getFloat32(at + 8, true), view.getInt32(at + 12, true)];
      if (label < last) fail(`the arcs of state ${state} are not in the order of their labels`);
      if (label > 255 || out < 0 || out > 255) fail(`arc ${arc} maps ${label} to ${out}, labels are bytes`);
      if (!Number.isFinite(cost)) fail(`arc ${arc} has weight ${cost}`);
      if (target < 0 || target >= states) fail(`arc ${arc} leads to state ${target} of ${states}`);
      last = label;
      input[arc] = label;
      output[arc] = out;
      weight[arc] = cost;
      next[arc] = target;
    }
    first[state + 1] = arc;
  }
  if (at !== bytes.length) fail(`${bytes.length - at} bytes follow the last state`);
  const ahead = lookAhead({ first, final, input, next }) ?? fail("a cycle of its arcs reads nothing");
  return { start, first, final, input, output, weight, next, ahead };
}

function readHeader(view: DataView, fail: (what: string) => never): { start: number; states: number } {
  if (view.byteLength < HEADER_BYTES || view.getUint32(0, true) !== FST_MAGIC) fail("not an OpenFst file");
  let at = 4;
  for (const type of TYPES) {
    const length = view.getInt32(at, true);
    const found = Array.from({ length: type.length }, (_, i) => String.fromCharCode(view.getUint8(at + 4 + i))).join(
      "",
    );
    if (length !== type.length || found !== type) fail(`not a transducer of type "${TYPES.join(" ")}"`);
    at += 4 + length;
  }
  const [version, flags] = [view.getInt32(at, true), view.getInt32(at + 4, true)];
  if (version !== VERSION || flags !== 0) {
    fail(`version ${version} with flags ${flags}; version ${VERSION} without symbol tables can be read`);
  }
  // Eight bytes of properties follow, and after the two numbers a count of arcs that writers leave 0.
  const [start, states] = [count64(view, at + 16), count64(view, at + 24)];
  const most = Math.floor((view.byteLength - HEADER_BYTES) / STATE_BYTES);
  if (states > most) fail(`it claims ${states} states, the file has room for ${most}`);
  if (start >= states) fail(`it starts in state ${start} of ${states}`);
  return { start, states };
}

/** An i64 that should be small; negative ones come out huge. */
function count64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** The table `ahead`, by a depth-first walk over the epsilons; undefined where those make a cycle. */
function lookAhead({ first, final, input, next }: Pick<Fst, "first" | "final" | "input" | "next">) {
  const states = final.length;
  const ahead = new Uint32Array(states * AHEAD_WORDS);
  /** 0: not seen; else 1 + the arc to go on with; the stack below holds who waits. */
  const cursor = new Int32Array(states);
  const done = new Uint8Array(states);
  const stack: number[] = [];
  for (let root = 0; root < states; root++) {
    if (done[root] === 0) stack.push(root);
    while (stack.length > 0) {
      const state = stack[stack.length - 1] as number;
      const at = state * AHEAD_WORDS;
      const end = first[state + 1] as number;
      let arc = (cursor[state] as number) - 1;
      if (arc < 0) {
        arc = first[state] as number;
        if (final[state] !== Number.POSITIVE_INFINITY) ahead[at] = 1;
      }
      let waits = false;
      for (; arc < end && input[arc] === 0; arc++) {
        const target = next[arc] as number;
        if (done[target] === 0) {
          if (cursor[target] !== 0 || target === state) return undefined;
          stack.push(target);
          waits = true;
          break;
        }
        for (let i = 0; i < AHEAD_WORDS; i++) {
          ahead[at + i] = (ahead[at + i] as number) | (ahead[target * AHEAD_WORDS + i] as number);
        }
      }
      cursor[state] = arc + 1;
      if (waits) continue;
      for (; arc < end; arc++) {
        const byte = input[arc] as number;
        const word = at + (byte >> 5);
        ahead[word] = (ahead[word] as number) | (1 << (byte & 31));
      }
      done[state] = 1;
      stack.pop();
    }
  }
  return ahead;
}
