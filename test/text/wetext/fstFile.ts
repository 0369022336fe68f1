/** OpenFst files made in a test. */
import { ARC_BYTES, FST_MAGIC, HEADER_BYTES, STATE_BYTES } from "../../../src/text/wetext/fst.js";

export interface State {
  readonly final?: number;
  /** Input byte, output byte, weight, next state. */
  readonly arcs: readonly (readonly [number, number, number, number])[];
}

/** The file of a transducer that starts in state 0. */
export function fstFile(states: readonly State[]): Uint8Array {
  const arcs = states.reduce((sum, state) => sum + state.arcs.length, 0);
  const bytes = new Uint8Array(HEADER_BYTES + states.length * STATE_BYTES + arcs * ARC_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, FST_MAGIC, true);
  let at = 4;
  for (const type of ["vector", "standard"]) {
    view.setInt32(at, type.length, true);
    bytes.set(new TextEncoder().encode(type), at + 4);
    at += 4 + type.length;
  }
  view.setInt32(at, 2, true);
  view.setUint32(at + 24, states.length, true);
  at = HEADER_BYTES;
  for (const { final = Number.POSITIVE_INFINITY, arcs } of states) {
    view.setFloat32(at, final, true);
    view.setUint32(at + 4, arcs.length, true);
    at += STATE_BYTES;
    for (const [input, output, weight, next] of arcs) {
      view.setInt32(at, input, true);
      view.setInt32(at + 4, output, true);
      view.setFloat32(at + 8, weight, true);
      view.setInt32(at + 12, next, true);
      at += ARC_BYTES;
    }
  }
  return bytes;
}

/** Its columns, as they are under the gzip of a packed grammar (`scripts/pack_grammars.py` does the same). */
export function columnsOf(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const states = view.getUint32(HEADER_BYTES - 16, true);
  const columns: number[][] = [[], [], [], [], [], []];
  let at = HEADER_BYTES;
  let before = 0;
  for (let state = 0; state < states; state++) {
    const count = view.getUint32(at + 4, true);
    columns[0]?.push(count);
    columns[1]?.push(view.getUint32(at, true));
    at += STATE_BYTES;
    for (let arc = 0; arc < count; arc++, at += ARC_BYTES) {
      for (let i = 0; i < 3; i++) columns[2 + i]?.push(view.getUint32(at + 4 * i, true));
      const step = view.getInt32(at + 12, true) - before;
      before += step;
      columns[5]?.push(step < 0 ? -2 * step - 1 : 2 * step);
    }
  }
  const planes = columns.map((column) => [0, 8, 16, 24].map((shift) => column.map((word) => (word >>> shift) & 255)));
  return Uint8Array.from([...file.subarray(0, HEADER_BYTES), ...planes.flat(2)]);
}
