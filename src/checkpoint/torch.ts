/**
 * `.pt` files: a ZIP archive of `<root>/data.pkl` and one entry per storage (what `torch.save` has written since 1.6).
 * Tensors are read when asked for; a tensor may be any strided view of its storage.
 */
import { FileError } from "../errors.js";
import { BYTES_OF, type StoredType, toFloats } from "./dtype.js";
import { PickleDict, PickleGlobal, PickleObject, PickleTuple, type PickleValue, unpickle } from "./pickle.js";
import { printable } from "./printable.js";
import type { RandomAccessFile } from "./source.js";
import { computedTensor, elementsOf, fileTensor, type LazyTensor } from "./tensor.js";
import { readZip, type ZipEntry } from "./zip.js";

/** The largest pickle of a release is under 200 KB. */
const MAX_PICKLE = 1 << 26;

const STORAGE_TYPES: Readonly<Record<string, StoredType>> = {
  FloatStorage: "F32",
  DoubleStorage: "F64",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

/** One entry `data/<key>`. */
class Storage extends PickleObject {
  readonly kind = "storage";
  constructor(
    readonly key: string,
    readonly type: StoredType,
    /** Elements. */
    readonly count: number,
  ) {
    super();
  }
}

/** A view of a storage as the file describes it; nothing is checked yet. */
export class TorchTensor extends PickleObject {
  readonly kind = "tensor";
  constructor(
    readonly storage: Storage,
    readonly offset: PickleValue,
    readonly size: readonly PickleValue[],
    readonly stride: readonly PickleValue[],
  ) {
    super();
  }
}

const GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    new PickleGlobal("collections OrderedDict", orderedDict),
    new PickleGlobal("torch._utils _rebuild_tensor_v2", rebuildTensor),
    new PickleGlobal("torch._utils _rebuild_parameter", ([tensor = null]) => tensor),
    ...Object.keys(STORAGE_TYPES).map((name) => new PickleGlobal(`torch ${name}`)),
  ].map((global) => [global.name, global]),
);

/** OrderedDict() or OrderedDict([(key, value), ...]). */
function orderedDict([items]: readonly PickleValue[]): PickleValue {
  const dict = new PickleDict();
  for (const pair of Array.isArray(items) ? items : []) {
    const [key, value = null] = pair instanceof PickleTuple ? pair.items : Array.isArray(pair) ? pair : [];
    if (typeof key === "string" || typeof key === "number") dict.entries.set(key, value);
  }
  return dict;
}

/** (storage, offset, size, stride, requires_grad, hooks) */
function rebuildTensor([storage, offset = 0, size, stride]: readonly PickleValue[]): PickleValue {
  if (!(storage instanceof Storage && size instanceof PickleTuple && stride instanceof PickleTuple)) {
    throw new FileError("a tensor is described without storage, size or stride");
  }
  return new TorchTensor(storage, offset, size.items, stride.items);
}

export interface TorchFile {
  readonly name: string;
  /** The saved object. */
  readonly root: PickleValue;
  /** @throws FileError naming `label` when the view does not fit its storage or the storage its entry. */
  tensor(label: string, view: TorchTensor): Promise<LazyTensor>;
}

/** @throws FileError when the file is not such an archive or holds more than tensors and plain values. */
export async function openTorch(file: RandomAccessFile): Promise<TorchFile> {
  const head = await file.read(0, Math.min(4, file.size));
  if (!(head[0] === 0x50 && head[1] === 0x4b)) {
    throw new FileError(
      `${file.name}: not a ZIP archive as torch.save has written since PyTorch 1.6; load it in PyTorch and save it again`,
    );
  }
  const entries = await readZip(file);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickleName] = pickles;
  if (pickleName === undefined || pickles.length > 1) {
    throw new FileError(
      `${file.name}: ${pickles.length} entries "<root>/data.pkl", expected one; was it saved by torch.save?`,
    );
  }
  const root = pickleName.slice(0, -"data.pkl".length);
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
    tensor: (label, view) => viewTensor(`${file.name}: ${printable(label)}`, view, file, entries, root),
  };
}

async function requireLittleEndian(file: RandomAccessFile, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return;
  const order = new TextDecoder().decode(await file.read(await entry.dataOffset(), Math.min(entry.size, 16)));
  if (order !== "little")
    throw new FileError(`${file.name}: byte order "${printable(order)}", only little-endian files are supported`);
}

/** ("storage", type, key, location, count) */
function persistent(id: PickleValue): PickleValue {
  const [tag, type, key, , count] = id instanceof PickleTuple ? id.items : [];
  const stored = type instanceof PickleGlobal ? STORAGE_TYPES[type.name.replace(/^torch /, "")] : undefined;
  if (
    tag !== "storage" ||
    !stored ||
    typeof key !== "string" ||
    typeof count !== "number" ||
    !Number.isSafeInteger(count) ||
    count < 0
  ) {
    throw new FileError("a storage is described in an unknown way; load the file in PyTorch and save it again");
  }
  return new Storage(key, stored, count);
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

/**
 * A state dict: tensors by name. Entries that are not tensors (`epoch` and `step` of the trainer) are left out.
 * @throws FileError when there are no tensors.
 */
export async function stateDict(torch: TorchFile): Promise<Map<string, LazyTensor>> {
  const tensors = new Map<string, LazyTensor>();
  if (torch.root instanceof PickleDict) {
    for (const [name, value] of torch.root.entries) {
      if (typeof name === "string" && value instanceof TorchTensor) tensors.set(name, await torch.tensor(name, value));
    }
  }
  if (tensors.size === 0) throw new FileError(`${torch.name}: no state dict (a dict of tensors) in it`);
  return tensors;
}

/** A dict of dicts of tensors, as `spk2info.pt` holds it. */
export async function nestedTensors(torch: TorchFile): Promise<Map<string, Map<string, LazyTensor>>> {
  const out = new Map<string, Map<string, LazyTensor>>();
  if (!(torch.root instanceof PickleDict)) throw new FileError(`${torch.name}: not a dict of voices`);
  for (const [name, entry] of torch.root.entries) {
    if (!(entry instanceof PickleDict))
      throw new FileError(`${torch.name}: voice "${printable(String(name))}" is not a dict of tensors`);
    const tensors = new Map<string, LazyTensor>();
    for (const [key, value] of entry.entries) {
      if (typeof key === "string" && value instanceof TorchTensor)
        tensors.set(key, await torch.tensor(`${name}/${key}`, value));
    }
    out.set(String(name), tensors);
  }
  return out;
}
