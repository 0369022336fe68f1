/**
 * `.pt` files: a ZIP archive of `<root>/data.pkl` and one entry per storage (what `torch.save` has written since 1.6).
 * Tensors are read when asked for; a tensor may be any strided view of its storage.
 */
import { FileError } from "../errors.js";
import { BYTES_OF, toFloats } from "./dtype.js";
import { readKind, wrongKind } from "./fileKind.js";
import { NumpyArray } from "./numpyPickle.js";
import { unpickle } from "./pickle.js";
import type { PickleValue } from "./pickleValues.js";
import { printable } from "./printable.js";
import type { RandomAccessFile } from "./source.js";
import { computedTensor, elementsOf, fileTensor, type LazyTensor } from "./tensor.js";
import { GLOBALS, persistent, TorchTensor } from "./torchGlobals.js";
import { readZip, type ZipEntry } from "./zip.js";

/** The largest pickle of a release is under 200 KB. */
const MAX_PICKLE = 1 << 26;

/** Numbers of a list that is taken for a tensor: a speaker vector has 192. */
const MAX_LIST = 4096;

const ARCHIVE = "a ZIP archive as torch.save has written since PyTorch 1.6";

export interface TorchFile {
  readonly name: string;
  /** The saved object. */
  readonly root: PickleValue;
  /**
   * A tensor of torch, an array of NumPy, or a list of numbers; undefined for a value that is none of these.
   * @throws FileError naming `label` when the view does not fit its storage or the storage its entry.
   */
  tensor(label: string, value: PickleValue): Promise<LazyTensor | undefined>;
}

/** @throws FileError when the file is not such an archive or holds more than tensors and plain values. */
export async function openTorch(file: RandomAccessFile): Promise<TorchFile> {
  const head = await file.read(0, Math.min(4, file.size));
  if (!(head[0] === 0x50 && head[1] === 0x4b)) {
    const kind = await readKind(file);
    throw kind
      ? wrongKind(file.name, kind, ARCHIVE)
      : new FileError(`${file.name}: not ${ARCHIVE}; is it the right file, and was it downloaded whole?`);
  }
  const entries = await readZip(file);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickleName] = pickles;
  if (pickleName === undefined || pickles.length > 1)
    throw otherArchive(file.name, [...entries.keys()], pickles.length);
  const root = pickleName.slice(0, -"data.pkl".length);
  if (entries.has(`${root}constants.pkl`)) {
    throw new FileError(
      `${file.name}: a TorchScript module, not a state dict; use the checkpoint it was made from, or save its weights with torch.save(module.state_dict(), ...)`,
    );
  }
  await requireLittleEndian(file, entries.get(`${root}byteorder`));
  const pickle = entries.get(pickleName) as ZipEntry;
  if (pickle.size > MAX_PICKLE)
    throw new FileError(`${file.name}: data.pkl has ${pickle.size} bytes, at most ${MAX_PICKLE}`);
  const value = unpickle(await file.read(await pickle.dataOffset(), pickle.size), {
    label: `${file.name}: data.pkl`,
    globals: GLOBALS,
    persistent,
  });
  return {
    name: file.name,
    root: value,
    tensor: async (key, found) => {
      const label = `${file.name}: ${printable(key)}`;
      if (found instanceof TorchTensor) return viewTensor(label, found, file, entries, root);
      if (found instanceof NumpyArray) return arrayTensor(label, found);
      return Array.isArray(found) ? listTensor(label, found) : undefined;
    },
  };
}

function otherArchive(name: string, entries: readonly string[], pickles: number): FileError {
  const first = entries[0] === undefined ? "it is empty" : `it holds "${printable(entries[0])}"`;
  const what = `${pickles} entries "<root>/data.pkl", expected one`;
  return new FileError(
    `${name}: ${what}: a ZIP archive, but not one of torch.save (${first}); unpack it if the checkpoint is inside`,
  );
}

async function requireLittleEndian(file: RandomAccessFile, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return;
  const order = new TextDecoder().decode(await file.read(await entry.dataOffset(), Math.min(entry.size, 16)));
  if (order !== "little")
    throw new FileError(`${file.name}: byte order "${printable(order)}", only little-endian files are supported`);
}

async function viewTensor(
  label: string,
  view: TorchTensor,
  file: RandomAccessFile,
  entries: ReadonlyMap<string, ZipEntry>,
  root: string,
): Promise<LazyTensor> {
  const { storage, offset, stride } = view;
  const elements = elementsOf(view.size, label);
  const shape = view.size as readonly number[];
  const width = BYTES_OF[storage.type];
  const entry = entries.get(`${root}data/${storage.key}`);
  if (!entry) throw new FileError(`${label}: its storage "data/${printable(storage.key)}" is missing`);
  if (storage.count * width > entry.size) {
    throw new FileError(
      `${label}: its storage claims ${storage.count} elements of ${width} bytes, "data/${printable(storage.key)}" has ${entry.size} bytes`,
    );
  }
  const last = lastElement(label, offset, shape, stride);
  if (elements > storage.count || (elements > 0 && last >= storage.count)) {
    throw new FileError(
      `${label}: [${shape.join(", ")}] at ${String(offset)} with strides [${numbers(stride)}] leaves its storage of ${storage.count} elements`,
    );
  }
  const start = (await entry.dataOffset()) + (offset as number) * width;
  if (isContiguous(shape, stride as readonly number[]))
    return fileTensor(label, file, { offset: start, shape, type: storage.type });
  // Only the span that the view touches is read.
  const span = elements > 0 ? last - (offset as number) + 1 : 0;
  return computedTensor(label, shape, async () =>
    gather(toFloats(await file.read(start, span * width), storage.type), shape, stride as readonly number[]),
  );
}

/** @throws FileError when its bytes are not those of its shape */
function arrayTensor(label: string, { shape: sizes, type, bytes, columnMajor }: NumpyArray): LazyTensor | undefined {
  if (!type) return undefined;
  const elements = elementsOf(sizes, label);
  const shape = sizes as readonly number[];
  if (bytes.length !== elements * BYTES_OF[type]) {
    throw new FileError(
      `${label}: [${shape.join(", ")}] of ${type} needs ${elements * BYTES_OF[type]} bytes, it has ${bytes.length}`,
    );
  }
  const stride = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  return computedTensor(label, shape, async () => {
    const values = toFloats(bytes.slice(), type);
    return columnMajor ? gather(values, shape, stride) : values;
  });
}

/** [n] of a list of numbers, [1, n] of a list of such a list. */
function listTensor(label: string, list: readonly PickleValue[]): LazyTensor | undefined {
  const [first] = list;
  const nested = list.length === 1 && Array.isArray(first);
  const values = nested ? first : list;
  if (values.length === 0 || values.length > MAX_LIST || !values.every((value) => typeof value === "number"))
    return undefined;
  const shape = nested ? [1, values.length] : [values.length];
  return computedTensor(label, shape, async () => Float32Array.from(values as readonly number[]));
}

/** Storage index of the last element. */
function lastElement(
  label: string,
  offset: PickleValue,
  shape: readonly number[],
  stride: readonly PickleValue[],
): number {
  const all = [offset, ...stride];
  if (stride.length !== shape.length || !all.every((n) => typeof n === "number" && Number.isSafeInteger(n) && n >= 0)) {
    throw new FileError(
      `${label}: offset ${numbers([offset])} and strides [${numbers(stride)}] do not fit [${shape.join(", ")}]`,
    );
  }
  return shape.reduce((sum, size, axis) => sum + (size - 1) * (stride[axis] as number), offset as number);
}

/** A few of the values, for a message. */
function numbers(values: readonly PickleValue[]): string {
  return printable(
    values
      .slice(0, 8)
      .map((value) => (typeof value === "number" ? value : typeof value))
      .join(", "),
  );
}

function isContiguous(shape: readonly number[], stride: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size === 0) return true;
    if (size > 1 && stride[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** A strided view in row-major order. */
function gather(storage: Float32Array, shape: readonly number[], stride: readonly number[]): Float32Array {
  const out = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = storage[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += stride[axis] as number;
      if (++(index[axis] as number) < (shape[axis] as number)) break;
      from -= (stride[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return out;
}
