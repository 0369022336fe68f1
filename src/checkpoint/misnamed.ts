/** A file that lies in a folder under another name than the one it is looked for by: what it holds decides, not what it is called. */
import type { Component } from "../config.js";
import { FileError } from "../errors.js";
import { openOnnx } from "./onnx.js";
import { speakerTensors, speechTokenizerTensors } from "./onnxNames.js";
import { printable } from "./printable.js";
import type { Folder } from "./source.js";
import { AdapterError, holds, type StateComponent } from "./stateFile.js";

/** Files that are looked into. */
const MAX_FILES = 30;

const ONNX = { speechTokenizer: speechTokenizerTensors, speaker: speakerTensors } as const;

/**
 * Names of the files in `folder` that hold the component, those of the usual files left out; none where a folder cannot be listed.
 * @throws AdapterError for an adapter that is not merged, when nothing else is there
 */
export async function filesWith(folder: Folder, component: Component, usual: readonly string[]): Promise<string[]> {
  const all = (await folder.list?.()) ?? [];
  const [likely, isIt] =
    component === "speechTokenizer" || component === "speaker"
      ? [/\.onnx\b/i, (name: string) => isOnnx(folder, name, component)]
      : [/\.(pt|pth|bin|ckpt|safetensors)\b/i, (name: string) => isState(folder, name, component)];
  const names = all.filter((name) => likely.test(name) && !usual.includes(name)).sort();
  const found: string[] = [];
  let adapter: AdapterError | undefined;
  for (const name of names.slice(0, MAX_FILES)) {
    try {
      if (await isIt(name)) found.push(name);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      if (error instanceof AdapterError) adapter ??= error;
    }
  }
  if (found.length === 0 && adapter) throw adapter;
  return found;
}

/** `"epoch_5_whole.pt" holds it: name it llm.pt`, or undefined. */
export function renaming(found: readonly string[], path: string): string | undefined {
  const names = found.slice(0, 5).map((name) => JSON.stringify(printable(name)));
  if (names.length === 0) return undefined;
  return names.length === 1
    ? `${names[0]} holds it: name it ${path}`
    : `${names.join(", ")} hold one: name the right one ${path}`;
}

async function isState(folder: Folder, name: string, component: StateComponent): Promise<boolean> {
  const file = await folder.open(name);
  return holds(file, component).finally(() => file.close());
}

async function isOnnx(folder: Folder, name: string, component: keyof typeof ONNX): Promise<boolean> {
  const graph = await openOnnx(folder, name);
  const { tensors } = await ONNX[component](graph).finally(() => graph.close());
  return tensors.has(
    component === "speaker" ? "xvector.tdnn.linear.weight" : "quantizer._codebook.project_down.weight",
  );
}
