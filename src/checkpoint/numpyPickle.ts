/**
 * Arrays and scalars of NumPy inside a pickle. The file makes them in two steps: an empty array or an element type, and then its
 * attributes, among them the bytes.
 */
import type { StoredType } from "./dtype.js";
import { toFloats } from "./dtype.js";
import { PickleGlobal, PickleObject, PickleTuple, type PickleValue } from "./pickleValues.js";

const TYPES: Readonly<Record<string, StoredType>> = {
  f8: "F64",
  f4: "F32",
  f2: "F16",
  i8: "I64",
  i4: "I32",
  i2: "I16",
  i1: "I8",
  u1: "U8",
  b1: "BOOL",
};

/** An element type; undefined in `type` for what is not a number, or lies in the other byte order. */
class NumpyType extends PickleObject {
  readonly kind = "numpy dtype";
  private bigEndian = false;

  constructor(private readonly code: PickleValue) {
    super();
  }

  /** (version, byte order, ...) */
  override build(state: PickleValue): void {
    this.bigEndian = state instanceof PickleTuple && state.items[1] === ">";
  }

  get type(): StoredType | undefined {
    return typeof this.code === "string" && !this.bigEndian ? TYPES[this.code] : undefined;
  }
}

/** An array as the file describes it; nothing is checked before it is asked for as a tensor. */
export class NumpyArray extends PickleObject {
  readonly kind = "numpy array";
  shape: readonly PickleValue[] = [];
  /** Undefined where its elements are none that are read. */
  type: StoredType | undefined;
  /** Whether its first axis is the one that runs fastest. */
  columnMajor = false;
  bytes: Uint8Array = new Uint8Array();

  /** (version, shape, dtype, column-major, bytes) */
  override build(state: PickleValue): void {
    const [, shape, dtype, columnMajor, bytes] = state instanceof PickleTuple ? state.items : [];
    if (!(shape instanceof PickleTuple && dtype instanceof NumpyType && bytes instanceof Uint8Array)) return;
    this.shape = shape.items;
    this.type = dtype.type;
    this.columnMajor = columnMajor === true;
    this.bytes = bytes;
  }
}

/** numpy.core.multiarray.scalar(dtype, bytes) */
function scalar([dtype, bytes]: readonly PickleValue[]): PickleValue {
  if (!(dtype instanceof NumpyType && dtype.type && bytes instanceof Uint8Array) || bytes.length > 8) return null;
  // A copy starts where any type may start.
  const padded = Uint8Array.from(bytes);
  return padded.length > 0 ? (toFloats(padded, dtype.type)[0] ?? null) : null;
}

/** _codecs.encode(text, "latin1"): bytes, in protocols that know none. */
function latin1([text]: readonly PickleValue[]): PickleValue {
  return typeof text === "string" ? Uint8Array.from(text, (letter) => letter.charCodeAt(0)) : null;
}

/** numpy.core.numeric._frombuffer(bytes, dtype, shape, order) */
function fromBuffer([bytes, dtype, shape, order]: readonly PickleValue[]): PickleValue {
  const array = new NumpyArray();
  array.build(new PickleTuple([1, shape ?? null, dtype ?? null, order === "F", bytes ?? null]));
  return array;
}

/** Both names of NumPy's inside: before 2.0 and since. */
const both = (name: string, call: (args: readonly PickleValue[]) => PickleValue) =>
  ["numpy.core", "numpy._core"].map((module) => new PickleGlobal(`${module}.${name}`, call));

export const NUMPY_GLOBALS: readonly PickleGlobal[] = [
  new PickleGlobal("numpy dtype", ([code = null]) => new NumpyType(code)),
  new PickleGlobal("numpy ndarray"),
  new PickleGlobal("_codecs encode", latin1),
  ...both("multiarray scalar", scalar),
  ...both("multiarray _reconstruct", () => new NumpyArray()),
  ...both("numeric _frombuffer", fromBuffer),
];
