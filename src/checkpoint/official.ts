/**
 * An official release folder: `cosyvoice2.yaml`, `llm.pt`, `flow.pt`, `hift.pt`, two ONNX files, `CosyVoice-BlankEN/`, and
 * `spk2info.pt` if someone added voices. Nothing is converted here; every tensor is read when asked for.
 */
import { COMPONENTS, type Component } from "../config.js";
import { FileError } from "../errors.js";
import { buildConfig, Shapes } from "./buildConfig.js";
import { parseHyperpyyaml } from "./hyperpyyaml.js";
import { Lookup } from "./lookup.js";
import { openOnnx } from "./onnx.js";
import { type OnnxTensors, speakerTensors, speechTokenizerTensors } from "./onnxNames.js";
import { parseConfig } from "./parseConfig.js";
import { OpenFiles, type Parts } from "./parts.js";
import { type Folder, readJson, readText } from "./source.js";
import { flowTensors, lmTensors, vocoderTensors } from "./stateDicts.js";
import type { LazyTensor } from "./tensor.js";
import { nestedTensors, openTorch, stateDict } from "./torch.js";

/** The file each component comes from. */
export const OFFICIAL_FILES: Readonly<Record<Component, string>> = {
  lm: "llm.pt",
  flow: "flow.pt",
  vocoder: "hift.pt",
  speechTokenizer: "speech_tokenizer_v2.onnx",
  speaker: "campplus.onnx",
};

export const YAML = "cosyvoice2.yaml";
export const VOICES = "spk2info.pt";
export const BLANK_EN = "CosyVoice-BlankEN";
export const TOKENIZER = {
  vocab: `${BLANK_EN}/vocab.json`,
  merges: `${BLANK_EN}/merges.txt`,
  config: `${BLANK_EN}/tokenizer_config.json`,
} as const;

export async function isOfficial(folder: Folder): Promise<boolean> {
  for (const path of [YAML, TOKENIZER.vocab, ...Object.values(OFFICIAL_FILES)]) if (await folder.has(path)) return true;
  return false;
}

/**
 * @param wanted components that must be there; by default whatever is there
 * @throws FileError when a file is missing, damaged, or of another generation.
 */
export async function openOfficial(folder: Folder, wanted?: readonly Component[]): Promise<Parts> {
  const files = new OpenFiles();
  return files.guard(async () => {
    const present = await presentComponents(folder, wanted);
    const tensors = new Map<Component, ReadonlyMap<string, LazyTensor>>();
    const shapes = new Map<Component, Shapes>();
    const onnx = new Map<Component, OnnxTensors>();
    for (const component of present) {
      const path = OFFICIAL_FILES[component];
      if (component === "lm" || component === "flow" || component === "vocoder") {
        const state = await stateDict(await openTorch(files.add(await folder.open(path))));
        tensors.set(component, { lm: lmTensors, flow: flowTensors, vocoder: vocoderTensors }[component](state));
      } else {
        const graph = files.add(await openOnnx(folder, path));
        const named = await { speechTokenizer: speechTokenizerTensors, speaker: speakerTensors }[component](graph);
        tensors.set(component, named.tensors);
        onnx.set(component, named);
      }
      shapes.set(component, new Shapes(`${folder.name}/${path}`, tensors.get(component) ?? new Map()));
    }
    const built = buildConfig({
      yaml: await readYaml(folder, present),
      blank: await readBlank(folder),
      lm: shapes.get("lm"),
      flow: shapes.get("flow"),
      vocoder: shapes.get("vocoder"),
      speechTokenizer: both(shapes.get("speechTokenizer"), onnx.get("speechTokenizer")),
      speaker: both(shapes.get("speaker"), onnx.get("speaker")),
    });
    const config = parseConfig(new Lookup(`${folder.name}: configuration`, built));
    const hasVoices = await folder.has(VOICES);
    const voices = hasVoices ? await nestedTensors(await openTorch(files.add(await folder.open(VOICES)))) : new Map();
    return { config, components: tensors, voices, tokenizer: TOKENIZER, close: () => files.close() };
  });
}

function both(shapes: Shapes | undefined, onnx: OnnxTensors | undefined) {
  return shapes && onnx && { shapes, onnx };
}

async function presentComponents(folder: Folder, wanted: readonly Component[] | undefined): Promise<Component[]> {
  const present: Component[] = [];
  for (const component of wanted ?? COMPONENTS) {
    const path = OFFICIAL_FILES[component];
    if (await folder.has(path)) present.push(component);
    else if (wanted)
      throw new FileError(`${folder.name}: ${path} is missing; the official release of CosyVoice2-0.5B holds it`);
  }
  return present;
}

async function readYaml(folder: Folder, present: readonly Component[]): Promise<Lookup> {
  const name = `${folder.name}/${YAML}`;
  if (await folder.has(YAML)) return new Lookup(name, parseHyperpyyaml(await readText(folder, YAML), name));
  for (const other of ["cosyvoice.yaml", "cosyvoice3.yaml"]) {
    if (await folder.has(other))
      throw new FileError(`${folder.name}: ${other} belongs to another generation; only CosyVoice2 is supported`);
  }
  if (present.length > 0) throw new FileError(`${name} is missing`);
  return new Lookup(name, {}); // a folder with nothing but the tokenizer
}

async function readBlank(folder: Folder): Promise<Lookup | undefined> {
  const path = `${BLANK_EN}/config.json`;
  if (!(await folder.has(path))) return undefined;
  return new Lookup(`${folder.name}/${path}`, await readJson(folder, path));
}
