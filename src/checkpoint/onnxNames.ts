/**
 * The two ONNX files under the names of their PyTorch state dicts. Exported initializers are mostly anonymous
 * (`onnx::MatMul_2228`), so a name follows from the scope of the node that uses the tensor (`/blocks.0/attn/query/MatMul`).
 */
import { FileError } from "../errors.js";
import type { OnnxGraph, OnnxNode } from "./onnx.js";
import { type LazyTensor, readAll, transposed } from "./tensor.js";

/** What the tables cannot tell: attributes of nodes. */
export interface OnnxTensors {
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  /** Epsilon of a norm, or dilation of a convolution, by the scope's name. */
  readonly attributes: ReadonlyMap<string, number>;
}

/** Inputs of a node that are constants, through Identity nodes and through Casts of weights that are stored as halves. */
class Constants {
  private readonly sources = new Map<string, string>();

  constructor(private readonly graph: OnnxGraph) {
    for (const { op, inputs, outputs } of graph.nodes) {
      if ((op === "Identity" || op === "Cast") && inputs[0] !== undefined && outputs[0] !== undefined)
        this.sources.set(outputs[0], inputs[0]);
    }
  }

  async input(node: OnnxNode, index: number): Promise<LazyTensor | undefined> {
    let name = node.inputs[index];
    for (let hops = 0; name !== undefined && hops < 8; hops++) {
      const tensor = await this.graph.tensor(name);
      if (tensor) return tensor;
      name = this.sources.get(name);
    }
    return undefined;
  }

  /** The constant among a node's inputs. */
  async any(node: OnnxNode): Promise<LazyTensor | undefined> {
    return (await this.input(node, 0)) ?? (await this.input(node, 1));
  }
}

/** "/blocks.0/mlp/mlp.0/MatMul" → scope "blocks.0.mlp.0", op "MatMul": a list repeats its own name in front of its items. */
export function scopeOf(name: string): { scope: string; op: string } {
  const parts = name.split("/").filter((part) => part !== "");
  const op = parts.pop() ?? "";
  const kept = parts.filter((part, i) => !parts[i + 1]?.startsWith(`${part}.`));
  return { scope: kept.join("."), op };
}

/** `speech_tokenizer_v2.onnx` under S3Tokenizer's names. */
export async function speechTokenizerTensors(graph: OnnxGraph): Promise<OnnxTensors> {
  const constants = new Constants(graph);
  const tensors = new Map<string, LazyTensor>();
  const attributes = new Map<string, number>();
  const set = (name: string, tensor: LazyTensor | undefined) => {
    if (tensor && !tensors.has(name)) tensors.set(name, tensor);
  };
  for (const node of graph.nodes) {
    const { scope: full, op } = scopeOf(node.name);
    const scope = full.replace(/^encoder\./, "");
    if (/^conv[12]$/.test(scope) && node.op === "Conv") {
      set(`encoder.${scope}.weight`, await constants.input(node, 1));
      set(`encoder.${scope}.bias`, await constants.input(node, 2));
    } else if (/^blocks\.\d+\.(attn_ln|mlp_ln)$/.test(scope)) {
      await layerNorm(`encoder.${scope}`, node, op, { constants, set, attributes });
    } else if (/^blocks\.\d+\.(attn\.(query|key|value|out)|mlp\.[02])$/.test(scope)) {
      await linear(`encoder.${scope}`, node, { constants, set });
    } else if (/^blocks\.\d+\.attn\.fsmn_block$/.test(scope) && node.op === "Conv") {
      set(`encoder.${scope}.weight`, await constants.input(node, 1));
    } else if (/^quantizer(\..*)?\.project_(in|down)$/.test(scope)) {
      await linear("quantizer._codebook.project_down", node, { constants, set });
    } else if (node.op === "Add" && node.inputs.includes(FSQ_BIAS)) {
      // Wherever the projection stands, its bias kept its name, and the matrix product is the other term.
      set("quantizer._codebook.project_down.bias", await graph.tensor(FSQ_BIAS));
      const product = graph.nodes.find(({ outputs }) => outputs.some((output) => node.inputs.includes(output)));
      if (product) await linear("quantizer._codebook.project_down", product, { constants, set });
    }
  }
  if (tensors.size === 0) throw new FileError(`${graph.name}: no node of a speech tokenizer v2 in it`);
  return { tensors, attributes };
}

const FSQ_BIAS = "quantizer.project_in.bias";

interface Sink {
  readonly constants: Constants;
  readonly set: (name: string, tensor: LazyTensor | undefined) => void;
}

/** MatMul of [in, out] and Add of a bias. */
async function linear(name: string, node: OnnxNode, { constants, set }: Sink): Promise<void> {
  if (node.op === "MatMul") {
    const weight = await constants.input(node, 1);
    set(`${name}.weight`, weight && transposed(weight));
  } else if (node.op === "Add") set(`${name}.bias`, await constants.any(node));
}

/** One LayerNormalization node, or its parts: Add (epsilon), Mul (gain), Add_1 (bias). */
async function layerNorm(
  name: string,
  node: OnnxNode,
  op: string,
  sink: Sink & { attributes: Map<string, number> },
): Promise<void> {
  const { constants, set, attributes } = sink;
  if (node.op === "LayerNormalization") {
    set(`${name}.weight`, await constants.input(node, 1));
    set(`${name}.bias`, await constants.input(node, 2));
    attributes.set(name, node.floats.get("epsilon") ?? 1e-5);
  } else if (op === "Mul") set(`${name}.weight`, await constants.any(node));
  else if (op === "Add_1") set(`${name}.bias`, await constants.any(node));
  else if (op === "Add") {
    const epsilon = await constants.any(node);
    if (epsilon?.elements === 1) attributes.set(name, (await readAll(epsilon))[0] as number);
  }
}

const BATCH_NORM_INPUTS = ["", "weight", "bias", "running_mean", "running_var"] as const;

/** `campplus.onnx` under 3D-Speaker's names; folded convolutions have a bias. */
export async function speakerTensors(graph: OnnxGraph): Promise<OnnxTensors> {
  const constants = new Constants(graph);
  const tensors = new Map<string, LazyTensor>();
  const attributes = new Map<string, number>();
  for (const node of graph.nodes) {
    const { scope } = scopeOf(node.name);
    if (node.op === "Conv") {
      const [weight, bias] = [await constants.input(node, 1), await constants.input(node, 2)];
      if (weight) tensors.set(`${scope}.weight`, weight);
      if (bias) tensors.set(`${scope}.bias`, bias);
      attributes.set(scope, node.ints.get("dilations")?.[0] ?? 1);
    } else if (node.op === "BatchNormalization") {
      // The last one has no gain and bias of its own; the exporter wrote ones and zeros.
      const first = scope === "xvector.dense.nonlinear.batchnorm" ? 3 : 1;
      for (let i = first; i < BATCH_NORM_INPUTS.length; i++) {
        const tensor = await constants.input(node, i);
        if (tensor) tensors.set(`${scope}.${BATCH_NORM_INPUTS[i]}`, tensor);
      }
    }
  }
  if (tensors.size === 0) throw new FileError(`${graph.name}: no node of a CAM++ speaker encoder in it`);
  return { tensors, attributes };
}
