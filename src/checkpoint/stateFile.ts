/**
 * The weights of a component in a file as people have it: what a trainer saved, with the weights under some key, beside an optimizer and
 * counters, and with the names of wrappers in front of theirs. One tensor that every component of its kind has is looked for by its name,
 * and what stands around it says where the others are.
 */
import { FileError } from "../errors.js";
import { readKind } from "./fileKind.js";
import { NumpyArray } from "./numpyPickle.js";
import { PickleDict, type PickleValue } from "./pickleValues.js";
import { printable } from "./printable.js";
import { openSafetensors } from "./safetensors.js";
import type { RandomAccessFile } from "./source.js";
import type { LazyTensor } from "./tensor.js";
import { openTorch, type TorchFile } from "./torch.js";
import { TorchTensor } from "./torchGlobals.js";

export type StateComponent = "lm" | "flow" | "vocoder";

export interface StateFile {
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  /** What was chosen where the file leaves a choice. */
  readonly warnings: readonly string[];
}

/** A tensor by which a component is known, also in the other generations, whose own errors come later. */
const LANDMARKS: Readonly<Record<StateComponent, { readonly tensor: string; readonly what: string }>> = {
  lm: { tensor: "llm.model.model.embed_tokens.weight", what: "a language model" },
  flow: { tensor: "input_embedding.weight", what: "a flow" },
  vocoder: { tensor: "conv_pre.bias", what: "a vocoder" },
};

/** Parts of names that wrappers of modules add: data parallel, compiled, sharded, adapted. No component has them of its own. */
const WRAPPERS =
  /(^|\.)(?:(?:module|_orig_mod|_forward_module|_fsdp_wrapped_module|_checkpoint_wrapped_module|base_layer|base_model\.model)\.)+/g;

const ADAPTER = /\.lora_(?:A|B|embedding_A|embedding_B|magnitude_vector)\b/;

/** Of weights that are kept beside those that are trained. */
const AVERAGED = /(^|[._-])ema|shadow|averag/i;

const MAX_DEPTH = 4;
const MAX_DICTS = 1000;

/** The file holds changes to weights, not the weights. */
export class AdapterError extends FileError {}

/** A dict somewhere in a file. */
interface Candidate {
  /** Keys that lead there; empty for the file's own object. */
  readonly path: readonly string[];
  readonly tensors: ReadonlyMap<string, PickleValue>;
}

/** The language model, flow or vocoder that a file of torch.save or safetensors holds. @throws FileError saying what it holds instead */
export async function openState(file: RandomAccessFile, component: StateComponent): Promise<StateFile> {
  if ((await readKind(file))?.what === "a safetensors file") {
    const { name, tensors } = await openSafetensors(file);
    refuseAdapters(name, [...tensors.keys()]);
    const found = named(tensors, component) ?? otherwise(name, [{ tensors }], component);
    return { tensors: found, warnings: [] };
  }
  const torch = await openTorch(file);
  const all = candidates(torch.root);
  for (const { tensors } of all) refuseAdapters(torch.name, [...tensors.keys()]);
  const fits = all.flatMap((candidate) => {
    const found = named(candidate.tensors, component);
    return found ? [{ ...candidate, tensors: found }] : [];
  });
  const [chosen, ...others] = [
    ...fits.filter(({ path }) => !path.some((key) => AVERAGED.test(key))),
    ...fits.filter(({ path }) => path.some((key) => AVERAGED.test(key))),
  ];
  if (!chosen) {
    refuseShards(torch, all);
    return { tensors: await opened(torch, otherwise(torch.name, all, component)), warnings: [] };
  }
  if (isEmpty(chosen.tensors.get(LANDMARKS[component].tensor))) throw sharded(torch.name);
  const warnings = others.map(
    ({ path }) =>
      `${torch.name}: it holds ${LANDMARKS[component].what} more than once; that of ${place(chosen.path)} is read, that of ${place(path)} is not`,
  );
  return { tensors: await opened(torch, chosen.tensors), warnings };
}

/** Whether a file holds a component, for whoever looks for it under another name. @throws FileError for a damaged file or another one */
export async function holds(file: RandomAccessFile, component: StateComponent): Promise<boolean> {
  return (await openState(file, component)).tensors.has(LANDMARKS[component].tensor);
}

/** All dicts with tensors, the nearest first. */
function candidates(root: PickleValue): Candidate[] {
  const found: Candidate[] = [];
  const seen = new Set<PickleDict>();
  let level: { readonly path: readonly string[]; readonly dict: PickleDict }[] =
    root instanceof PickleDict ? [{ path: [], dict: root }] : [];
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const next: typeof level = [];
    for (const { path, dict } of level) {
      if (seen.has(dict) || seen.size >= MAX_DICTS) continue;
      seen.add(dict);
      const tensors = new Map<string, PickleValue>();
      for (const [key, value] of dict.entries) {
        if (value instanceof PickleDict) {
          if (next.length < MAX_DICTS) next.push({ path: [...path, String(key)], dict: value });
        } else if (typeof key === "string" && (value instanceof TorchTensor || value instanceof NumpyArray))
          tensors.set(key, value);
      }
      if (tensors.size > 0) found.push({ path, tensors });
    }
    level = next;
  }
  return found;
}

/**
 * The component's tensors under its own names: those of wrappers are taken out, and so is what stands in front of the landmark
 * (`generator.`, `model.`); then what has no such front belongs to something else and is left out. Undefined without the landmark.
 */
function named<T>(tensors: ReadonlyMap<string, T>, component: StateComponent): Map<string, T> | undefined {
  const { tensor: landmark } = LANDMARKS[component];
  const plain = new Map([...tensors].map(([name, tensor]) => [name.replace(WRAPPERS, "$1"), tensor]));
  if (plain.has(landmark)) return plain;
  const found = [...plain.keys()].filter((name) => name.endsWith(`.${landmark}`));
  const chosen = found.find((name) => !AVERAGED.test(name)) ?? found[0];
  if (chosen === undefined) return undefined;
  const front = chosen.slice(0, -landmark.length);
  const own = [...plain].filter(([name]) => name.startsWith(front));
  return new Map(own.map(([name, tensor]) => [name.slice(front.length), tensor]));
}

/** The tensors of a file without the landmark, whose lacks are named later. @throws FileError when it is plain what it is instead */
function otherwise<T extends PickleValue | LazyTensor>(
  name: string,
  all: readonly { readonly tensors: ReadonlyMap<string, T> }[],
  component: StateComponent,
): ReadonlyMap<string, T> {
  const wanted = LANDMARKS[component];
  for (const { tensors } of all) {
    for (const [other, { what }] of Object.entries(LANDMARKS)) {
      if (!named(tensors, other as StateComponent)) continue;
      throw new FileError(`${name}: it holds ${what}, not ${wanted.what}; are two files under each other's names?`);
    }
    if ([...tensors.keys()].some((key) => /(^|\.)model\.embed_tokens\.weight$|(^|\.)lm_head\.weight$/.test(key))) {
      throw new FileError(`${name}: it holds a text model alone, not ${wanted.what} of CosyVoice2`);
    }
  }
  const [largest] = [...all].sort((a, b) => b.tensors.size - a.tensors.size);
  if (!largest) throw noState(name);
  return largest.tensors;
}

async function opened(
  torch: TorchFile,
  values: ReadonlyMap<string, PickleValue | LazyTensor>,
): Promise<Map<string, LazyTensor>> {
  const tensors = new Map<string, LazyTensor>();
  for (const [name, value] of values) {
    const tensor = await torch.tensor(name, value as PickleValue);
    if (tensor) tensors.set(name, tensor);
  }
  return tensors;
}

function noState(name: string): FileError {
  return new FileError(
    `${name}: no state dict (a dict of tensors) in it; save one with torch.save(model.state_dict(), ...)`,
  );
}

/** @throws AdapterError for low-rank changes, also beside the weights they are of */
function refuseAdapters(name: string, keys: readonly string[]): void {
  const adapter = keys.find((key) => ADAPTER.test(key));
  if (adapter === undefined) return;
  throw new AdapterError(
    `${name}: an adapter that is not merged into its weights (${printable(adapter)}); merge it with PEFT's merge_and_unload() and save the state dict again`,
  );
}

function isEmpty(tensor: PickleValue | undefined): boolean {
  return tensor instanceof TorchTensor && tensor.size.includes(0);
}

/** @throws FileError for a part of a DeepSpeed checkpoint without the weights */
function refuseShards({ name, root }: TorchFile, all: readonly Candidate[]): void {
  const keys = root instanceof PickleDict ? [...root.entries.keys()] : [];
  const deepspeed = ["ds_config", "ds_version", "param_shapes", "zero_stage"].some((key) => keys.includes(key));
  if (deepspeed || all.some(({ path }) => path.includes("fp32_flat_groups"))) throw sharded(name);
}

function sharded(name: string): FileError {
  return new FileError(
    `${name}: a DeepSpeed checkpoint, whose weights lie in pieces in the files beside it; join them with its zero_to_fp32.py`,
  );
}

function place(path: readonly string[]): string {
  return path.length === 0 ? "the file's own dict" : `"${printable(path.join("."))}"`;
}
