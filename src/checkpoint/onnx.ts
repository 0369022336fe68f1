/**
 * The parts of an ONNX file that conversion needs: nodes with their names, inputs and attributes, and where every tensor's
 * bytes lie. Field numbers: onnx.proto3. No weight is read here.
 */
import { FileError } from "../errors.js";
import { BYTES_OF, type StoredType } from "./dtype.js";
import { readKind, wrongKind } from "./fileKind.js";
import { printable } from "./printable.js";
import { type Field, fieldInts, fields, fieldText, Window } from "./protobuf.js";
import type { Folder, RandomAccessFile } from "./source.js";
import { elementsOf, fileTensor, type LazyTensor } from "./tensor.js";

const MAX_NODES = 1_000_000;

const TYPES: Readonly<Record<number, StoredType>> = {
  1: "F32",
  2: "U8",
  3: "I8",
  5: "I16",
  6: "I32",
  7: "I64",
  9: "BOOL",
  10: "F16",
  11: "F64",
  16: "BF16",
};

export interface OnnxNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly floats: ReadonlyMap<string, number>;
  readonly ints: ReadonlyMap<string, readonly number[]>;
}

export interface OnnxGraph {
  readonly name: string;
  /** In graph order. */
  readonly nodes: readonly OnnxNode[];
  /** Initializers and the values of Constant nodes, by the name that nodes use. */
  tensor(name: string): Promise<LazyTensor | undefined>;
  close(): Promise<void>;
}

/** A TensorProto: where its bytes are, nothing more. */
interface TensorRecord {
  name: string;
  shape: number[];
  type: number;
  data: { readonly offset: number; readonly bytes: number } | undefined;
  external: Map<string, string>;
  isExternal: boolean;
  problem: string | undefined;
}

/**
 * @param folder where external data may lie
 * @throws FileError when the file is not an ONNX model.
 */
export async function openOnnx(folder: Folder, path: string): Promise<OnnxGraph> {
  const file = await folder.open(path);
  try {
    return await readGraph(folder, file);
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function readGraph(folder: Folder, file: RandomAccessFile): Promise<OnnxGraph> {
  const kind = await readKind(file);
  if (kind) throw wrongKind(file.name, kind, "an ONNX model");
  const window = new Window(file);
  const nodes: OnnxNode[] = [];
  const tensors = new Map<string, TensorRecord>();
  let graphs = 0;
  for await (const field of fields(window, 0, file.size)) {
    if (field.id !== 7 || field.wire !== 2) continue;
    graphs++;
    for await (const part of fields(window, field.start, field.end)) {
      if (part.wire !== 2) continue;
      if (part.id === 1) {
        if (nodes.length >= MAX_NODES) throw new FileError(`${file.name}: more than ${MAX_NODES} nodes`);
        nodes.push(await readNode(window, part, tensors));
      } else if (part.id === 5) {
        const tensor = await readTensor(window, part);
        tensors.set(tensor.name, tensor);
      }
    }
  }
  if (graphs !== 1 || nodes.length === 0)
    throw new FileError(`${file.name}: not an ONNX model (${graphs} graphs, ${nodes.length} nodes)`);
  const others = new Map<string, Promise<RandomAccessFile>>();
  const open = (location: string) => {
    const opened = others.get(location) ?? folder.open(location);
    others.set(location, opened);
    return opened;
  };
  return {
    name: file.name,
    nodes,
    tensor: async (name) => {
      const record = tensors.get(name);
      return record && locate(record, file, open);
    },
    close: async () => {
      for (const other of await Promise.allSettled(others.values()))
        if (other.status === "fulfilled") await other.value.close();
      await file.close();
    },
  };
}

/** NodeProto. The tensor of a Constant node is entered under the node's output. */
async function readNode(window: Window, at: Field, tensors: Map<string, TensorRecord>): Promise<OnnxNode> {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const floats = new Map<string, number>();
  const ints = new Map<string, readonly number[]>();
  let [name, op] = ["", ""];
  let constant: TensorRecord | undefined;
  for await (const field of fields(window, at.start, at.end)) {
    if (field.id === 1) inputs.push(await fieldText(window, field));
    else if (field.id === 2) outputs.push(await fieldText(window, field));
    else if (field.id === 3) name = await fieldText(window, field);
    else if (field.id === 4) op = await fieldText(window, field);
    else if (field.id === 5 && field.wire === 2) {
      const attribute = await readAttribute(window, field);
      if (attribute.float !== undefined) floats.set(attribute.name, attribute.float);
      ints.set(attribute.name, attribute.ints);
      if (attribute.name === "value") constant = attribute.tensor;
    }
  }
  if (op === "Constant" && constant && outputs[0] !== undefined) tensors.set(outputs[0], constant);
  return { name, op, inputs, outputs, floats, ints };
}

/** AttributeProto. */
async function readAttribute(window: Window, at: Field) {
  const ints: number[] = [];
  let name = "";
  let float: number | undefined;
  let tensor: TensorRecord | undefined;
  for await (const field of fields(window, at.start, at.end)) {
    if (field.id === 1) name = await fieldText(window, field);
    else if (field.id === 2 && field.wire === 5) float = new Float32Array(Uint32Array.of(field.value).buffer)[0];
    else if (field.id === 3 && field.wire === 0) ints.push(field.value);
    else if (field.id === 5 && field.wire === 2) tensor = await readTensor(window, field);
    else if (field.id === 8) for (const value of await fieldInts(window, field)) ints.push(value);
  }
  return { name, float, ints, tensor };
}

/** TensorProto. */
async function readTensor(window: Window, at: Field): Promise<TensorRecord> {
  const record: TensorRecord = {
    name: "",
    shape: [],
    type: 0,
    data: undefined,
    external: new Map(),
    isExternal: false,
    problem: undefined,
  };
  for await (const field of fields(window, at.start, at.end)) {
    const span = { offset: field.start, bytes: field.end - field.start };
    switch (field.id) {
      case 1: // dims
        for (const size of await fieldInts(window, field)) record.shape.push(size);
        if (record.shape.length > 64) throw new FileError(`${window.file.name}: a tensor of more than 64 dimensions`);
        break;
      case 2:
        record.type = field.value;
        break;
      case 3:
        record.problem = "it is a segment of a larger tensor";
        break;
      case 8:
        record.name = await fieldText(window, field);
        break;
      case 9: // raw_data
        record.data = span;
        break;
      case 4: // float_data
      case 10: // double_data; packed, these are the same bytes as raw_data
        if (field.wire !== 2 || record.data) record.problem = "its values are not in one piece";
        record.data = span;
        break;
      case 5: // int32_data
      case 6:
      case 7: // int64_data
      case 11:
        if (span.bytes > 0) record.problem = "its values are stored as varints";
        break;
      case 13:
        await readExternal(window, field, record.external);
        break;
      case 14:
        record.isExternal = field.value === 1;
        break;
    }
  }
  return record;
}

/** StringStringEntryProto. */
async function readExternal(window: Window, at: Field, into: Map<string, string>): Promise<void> {
  let [key, value] = ["", ""];
  for await (const field of fields(window, at.start, at.end)) {
    if (field.id === 1) key = await fieldText(window, field);
    else if (field.id === 2) value = await fieldText(window, field);
  }
  into.set(key, value);
}

async function locate(
  record: TensorRecord,
  file: RandomAccessFile,
  open: (location: string) => Promise<RandomAccessFile>,
): Promise<LazyTensor> {
  const label = `${file.name}: ${printable(record.name) || "constant"}`;
  const { shape } = record;
  const type = TYPES[record.type];
  if (!type) throw new FileError(`${label}: element type ${record.type} is not supported`);
  if (record.problem) throw new FileError(`${label}: ${record.problem}; save the model with raw data`);
  const elements = elementsOf(shape, label);
  if (record.isExternal) {
    const location = record.external.get("location") ?? "";
    const offset = Number(record.external.get("offset") ?? 0);
    if (!Number.isSafeInteger(offset) || offset < 0)
      throw new FileError(`${label}: external data at "${record.external.get("offset")}"`);
    return fileTensor(label, await open(location), { offset, shape, type });
  }
  if (!record.data) {
    if (elements > 0) throw new FileError(`${label}: [${shape.join(", ")}] without values`);
    return fileTensor(label, file, { offset: 0, shape, type });
  }
  const expected = elements * BYTES_OF[type];
  if (record.data.bytes !== expected) {
    throw new FileError(`${label}: [${shape.join(", ")}] needs ${expected} bytes, it has ${record.data.bytes}`);
  }
  return fileTensor(label, file, { offset: record.data.offset, shape, type });
}
