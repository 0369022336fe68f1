/**
 * The names that a file of torch.save may hold: tensors, and what trainers put beside weights. Nothing of Python runs: each name is made
 * into a plain value here, or into one that says nothing at all. Every other name is refused, for whoever loads such a file with
 * pickle itself runs what it says.
 */
import { FileError } from "../errors.js";
import type { StoredType } from "./dtype.js";
import { NUMPY_GLOBALS } from "./numpyPickle.js";
import { PickleDict, PickleGlobal, PickleObject, PickleTuple, type PickleValue } from "./pickleValues.js";

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

/** A Python object whose content is of no use here: settings, paths, dates, states of optimizers. */
class Inert extends PickleObject {
  readonly kind = "object";
}

/** A name of Python's own, as protocols up to 2 and later ones write it. */
function builtin(name: string): string[] {
  return [`__builtin__ ${name}`, `builtins ${name}`];
}

const INERT: readonly string[] = [
  ...["torch device", "torch Generator", "torch.torch_version TorchVersion", "torch.serialization _get_layout"],
  ...["complex", "slice", "range", "xrange", "bytearray"].flatMap(builtin),
  ...[
    "argparse Namespace",
    "types SimpleNamespace",
    "datetime datetime",
    "datetime date",
    "datetime time",
    "datetime timedelta",
  ],
  ...["datetime timezone", "pathlib Path", "pathlib PosixPath", "pathlib WindowsPath", "pathlib PurePosixPath"],
  ...["pathlib PureWindowsPath", "pathlib._local PosixPath", "pathlib._local WindowsPath", "decimal Decimal"],
  ...["uuid UUID", "deepspeed.runtime.fp16.loss_scaler LossScaler"],
  ...["deepspeed.runtime.fp16.loss_scaler DynamicLossScaler", "deepspeed.runtime.zero.config ZeroStageEnum"],
  ...["deepspeed.utils.tensor_fragment fragment_address", "omegaconf.dictconfig DictConfig"],
  ...["omegaconf.listconfig ListConfig", "omegaconf.base ContainerMetadata", "omegaconf.base Metadata"],
  ...["Any", "Boolean", "Enum", "Float", "Integer", "String"].map((type) => `omegaconf.nodes ${type}Node`),
];

/** Classes that are dicts, filled like those. */
const DICTS: readonly string[] = [
  ...["easydict EasyDict", "addict.addict Dict", "munch Munch", "pytorch_lightning.utilities.parsing AttributeDict"],
  ...["lightning_fabric.utilities.data AttributeDict", "lightning.fabric.utilities.data AttributeDict"],
];

/** Names that are only handed to something else. */
const NAMES: readonly string[] = [
  ...["typing Any", "torch Tensor", "torch.nn.parameter Parameter", "torch.nn.parameter Buffer"],
  ...["int", "long", "float", "str", "unicode", "bool", "list", "dict", "tuple", "object"].flatMap(builtin),
  ...["float64", "float32", "float16", "bfloat16", "complex64", "int64", "int32", "int16", "int8", "uint8", "bool"].map(
    (type) => `torch ${type}`,
  ),
  ...Object.keys(STORAGE_TYPES).map((name) => `torch ${name}`),
];

const listOf = ([items]: readonly PickleValue[]): PickleValue => (Array.isArray(items) ? items : []);

export const GLOBALS: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    new PickleGlobal("collections OrderedDict", dictOf),
    new PickleGlobal("collections Counter", dictOf),
    new PickleGlobal("collections defaultdict", () => new PickleDict()),
    new PickleGlobal("collections deque", listOf),
    new PickleGlobal("torch._utils _rebuild_tensor", rebuildTensor),
    new PickleGlobal("torch._utils _rebuild_tensor_v2", rebuildTensor),
    new PickleGlobal("torch._utils _rebuild_parameter", ([tensor = null]) => tensor),
    new PickleGlobal("torch._utils _rebuild_parameter_with_state", ([tensor = null]) => tensor),
    new PickleGlobal("torch._tensor _rebuild_from_type_v2", rebuildFromType),
    new PickleGlobal("torch Size", ([sizes = null]) => sizes),
    ...NUMPY_GLOBALS,
    ...DICTS.map((name) => new PickleGlobal(name, () => new PickleDict())),
    ...INERT.map((name) => new PickleGlobal(name, () => new Inert())),
    ...NAMES.map((name) => new PickleGlobal(name)),
    ...["set", "frozenset"].flatMap(builtin).map((name) => new PickleGlobal(name, listOf)),
  ].map((global) => [global.name, global]),
);

/** OrderedDict(), OrderedDict([(key, value), ...]) or Counter({...}). */
function dictOf([items]: readonly PickleValue[]): PickleValue {
  if (items instanceof PickleDict) return items;
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

/** (function, class, its arguments, attributes): a tensor of a class of its own, whose numbers are those of any other. */
function rebuildFromType([make, , args]: readonly PickleValue[]): PickleValue {
  const isTensor = make instanceof PickleGlobal && make.call === rebuildTensor && args instanceof PickleTuple;
  return isTensor ? rebuildTensor(args.items) : new Inert();
}

/** ("storage", type, key, location, count) */
export function persistent(id: PickleValue): PickleValue {
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
