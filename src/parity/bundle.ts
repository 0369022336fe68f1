/**
 * A reference bundle: `reference.safetensors` with tensors named stage/case/tensor, and `text.json`. Nothing is read before it is
 * asked for, one tensor at a time.
 */
import { openSafetensors, type SafetensorsFile } from "../checkpoint/safetensors.js";
import { type Folder, type RandomAccessFile, readText } from "../checkpoint/source.js";
import { type LazyTensor, readAll } from "../checkpoint/tensor.js";
import { FileError } from "../errors.js";

const TENSORS = "reference.safetensors";
const TEXT = "text.json";
const FORMAT = "cosyvoice-parity-1";

/** Values of one tensor; ids, counts, flags and masks are integers and compared exactly. */
export interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** One entry of `text.json`; each field that is there is one exact check. */
export interface TextCase {
  readonly text: string;
  readonly prompt: boolean;
  readonly normalizer: string;
  readonly segments?: readonly string[];
  readonly normalized?: string;
  readonly ids?: readonly number[];
}

/** The tensors of one case of one stage. */
export class Case {
  constructor(
    readonly stage: string,
    readonly name: string,
    private readonly tensors: ReadonlyMap<string, LazyTensor>,
  ) {}

  get tensorNames(): readonly string[] {
    return [...this.tensors.keys()];
  }

  has(tensor: string): boolean {
    return this.tensors.has(tensor);
  }

  /** @throws FileError when it is missing or of a type the contract does not know. */
  async read(name: string): Promise<Values> {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new FileError(`${this.stage}/${this.name}: the bundle lacks its tensor ${name}`);
    if (tensor.type === "F32") return { shape: tensor.shape, data: await readAll(tensor) };
    if (tensor.type !== "I32" || !tensor.raw) {
      throw new FileError(`${tensor.label}: type ${tensor.type}; a bundle holds F32 and I32`);
    }
    const bytes = await tensor.raw(0, tensor.elements);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return {
      shape: tensor.shape,
      data: Int32Array.from({ length: tensor.elements }, (_, i) => view.getInt32(i * 4, true)),
    };
  }

  /** A float tensor of `shape`; null stands for any size. @throws FileError when it has another. */
  async floats(name: string, shape: readonly (number | null)[]): Promise<Float32Array> {
    const { data, shape: got } = await this.read(name);
    const fits = got.length === shape.length && shape.every((size, axis) => size === null || size === got[axis]);
    if (!fits || !(data instanceof Float32Array)) {
      throw new FileError(
        `${this.stage}/${this.name}/${name}: [${got.join(", ")}] of ${data instanceof Int32Array ? "I32" : "F32"}, expected F32 [${shape.map((size) => size ?? "any").join(", ")}]`,
      );
    }
    return data;
  }

  /** Ids, or any list of integers. */
  async ids(name: string): Promise<Int32Array> {
    const { data, shape } = await this.read(name);
    if (!(data instanceof Int32Array) || shape.length !== 1) {
      throw new FileError(`${this.stage}/${this.name}/${name}: expected a list of I32`);
    }
    return data;
  }

  /** The one value of a flag or count. */
  async number(name: string): Promise<number> {
    const [value, ...rest] = await this.ids(name);
    if (value === undefined || rest.length > 0 || value < 0) {
      throw new FileError(`${this.stage}/${this.name}/${name}: expected one number, 0 or more`);
    }
    return value;
  }
}

export interface Bundle {
  readonly name: string;
  readonly cases: readonly Case[];
  readonly texts: readonly TextCase[];
  close(): Promise<void>;
}

/** @throws FileError when neither file is there, or one is damaged. */
export async function openBundle(folder: Folder): Promise<Bundle> {
  const [tensors, text] = [await folder.has(TENSORS), await folder.has(TEXT)];
  if (!tensors && !text) {
    throw new FileError(`${folder.name}: neither ${TENSORS} nor ${TEXT} is there; is it a reference bundle?`);
  }
  const texts = text ? parseTexts(await readText(folder, TEXT), `${folder.name}/${TEXT}`) : [];
  if (!tensors) return { name: folder.name, cases: [], texts, close: async () => {} };
  const file: RandomAccessFile = await folder.open(TENSORS);
  try {
    return { name: folder.name, cases: casesOf(await openSafetensors(file)), texts, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function casesOf({ name, tensors, metadata }: SafetensorsFile): Case[] {
  const format = metadata.get("format");
  if (format !== FORMAT) throw new FileError(`${name}: its format is ${JSON.stringify(format)}, expected "${FORMAT}"`);
  const cases = new Map<string, { stage: string; name: string; tensors: Map<string, LazyTensor> }>();
  for (const [path, tensor] of tensors) {
    const [stage = "", caseName, ...rest] = path.split("/");
    if (caseName === undefined || rest.length === 0) {
      throw new FileError(`${tensor.label}: a tensor of a bundle is called stage/case/tensor`);
    }
    const key = `${stage}/${caseName}`;
    const known = cases.get(key) ?? { stage, name: caseName, tensors: new Map<string, LazyTensor>() };
    known.tensors.set(rest.join("/"), tensor);
    cases.set(key, known);
  }
  return [...cases.values()].map((found) => new Case(found.stage, found.name, found.tensors));
}

function parseTexts(json: string, name: string): TextCase[] {
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch (error) {
    throw new FileError(`${name}: not JSON (${error instanceof Error ? error.message : error})`);
  }
  if (!Array.isArray(list)) throw new FileError(`${name}: not a list`);
  return list.map((entry: unknown, index) => {
    const fields = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
    const { text, prompt = false, normalizer = "none", segments, normalized, ids } = fields;
    const isList = (value: unknown, type: string) =>
      value === undefined || (Array.isArray(value) && value.every((item) => typeof item === type));
    const good =
      typeof text === "string" &&
      typeof prompt === "boolean" &&
      typeof normalizer === "string" &&
      isList(segments, "string") &&
      isList(ids, "number") &&
      (normalized === undefined || typeof normalized === "string");
    if (!good) throw new FileError(`${name}: entry ${index} does not have the fields of a text case`);
    return { text, prompt, normalizer, ...pick({ segments, normalized, ids }) } as TextCase;
  });
}

function pick(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
