/** Writes ONNX files: nodes and tensors, nothing that only a runtime needs. */
import protobuf from "protobufjs/minimal.js";

export interface MadeTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Default f32. */
  readonly type?: number;
  readonly raw?: Uint8Array;
  /** Instead of raw: packed float_data. */
  readonly floats?: Float32Array;
  readonly external?: { readonly location: string; readonly offset?: string };
}

export interface MadeNode {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs?: readonly string[];
  readonly floats?: Readonly<Record<string, number>>;
  readonly ints?: Readonly<Record<string, readonly number[]>>;
  /** Value of a Constant node. */
  readonly value?: MadeTensor;
}

export function onnxFile(nodes: readonly MadeNode[], initializers: readonly MadeTensor[]): Uint8Array {
  const model = protobuf.Writer.create();
  model.uint32(tag(1, 0)).uint32(8); // ir_version
  model.uint32(tag(7, 2)).fork(); // graph
  for (const node of nodes) writeNode(model, node);
  for (const tensor of initializers) writeTensor(model, 5, tensor);
  return model.ldelim().finish();
}

function tag(field: number, wire: number): number {
  return field * 8 + wire;
}

function writeNode(writer: protobuf.Writer, node: MadeNode): void {
  writer.uint32(tag(1, 2)).fork();
  for (const input of node.inputs) writer.uint32(tag(1, 2)).string(input);
  for (const output of node.outputs ?? [`${node.name}_output_0`]) writer.uint32(tag(2, 2)).string(output);
  writer.uint32(tag(3, 2)).string(node.name);
  writer.uint32(tag(4, 2)).string(node.op);
  for (const [name, value] of Object.entries(node.floats ?? {})) {
    writer.uint32(tag(5, 2)).fork().uint32(tag(1, 2)).string(name).uint32(tag(2, 5)).float(value).ldelim();
  }
  for (const [name, values] of Object.entries(node.ints ?? {})) {
    writer.uint32(tag(5, 2)).fork().uint32(tag(1, 2)).string(name);
    for (const value of values) writer.uint32(tag(8, 0)).int64(value);
    writer.ldelim();
  }
  if (node.value) {
    writer.uint32(tag(5, 2)).fork().uint32(tag(1, 2)).string("value");
    writeTensor(writer, 5, node.value);
    writer.ldelim();
  }
  writer.ldelim();
}

function writeTensor(writer: protobuf.Writer, field: number, tensor: MadeTensor): void {
  writer.uint32(tag(field, 2)).fork();
  for (const size of tensor.shape) writer.uint32(tag(1, 0)).uint64(Number(size));
  writer.uint32(tag(2, 0)).uint32(tensor.type ?? 1);
  writer.uint32(tag(8, 2)).string(tensor.name);
  if (tensor.raw) writer.uint32(tag(9, 2)).bytes(tensor.raw);
  if (tensor.floats) {
    writer.uint32(tag(4, 2)).fork();
    for (const value of tensor.floats) writer.float(value);
    writer.ldelim();
  }
  if (tensor.external) {
    for (const [key, value] of Object.entries(tensor.external)) {
      writer.uint32(tag(13, 2)).fork().uint32(tag(1, 2)).string(key).uint32(tag(2, 2)).string(value).ldelim();
    }
    writer.uint32(tag(14, 0)).uint32(1);
  }
  writer.ldelim();
}
