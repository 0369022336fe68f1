/**
 * An official release folder: a yaml, `llm.pt`, `flow.pt`, `hift.pt`, two ONNX files, `CosyVoice-BlankEN/`, and `spk2info.pt` if someone
 * added voices. Nothing is converted here; every tensor is read when asked for.
 */
import { COMPONENTS, type Component } from "../config.js";
import { FileError } from "../errors.js";
import { buildConfig, Shapes } from "./buildConfig.js";
import { findYaml, YAMLS } from "./generation.js";
import { Lookup } from "./lookup.js";
import { filesWith, renaming } from "./misnamed.js";
import { openOnnx } from "./onnx.js";
import { type OnnxTensors, speakerTensors, speechTokenizerTensors } from "./onnxNames.js";
import { parseConfig } from "./parseConfig.js";
import { OpenFiles, type Parts } from "./parts.js";
import { type Folder, readJson } from "./source.js";
import { leftOut, type Speakers, speakersIn, usable } from "./speakers.js";
import { flowTensors, lmTensors, vocoderTensors } from "./stateDicts.js";
import { AdapterError, openState } from "./stateFile.js";
import type { LazyTensor } from "./tensor.js";
import { openTorch } from "./torch.js";

/** The file each component comes from. */
export const OFFICIAL_FILES: Readonly<Record<Component, string>> = {
  lm: "llm.pt",
  flow: "flow.pt",
  vocoder: "hift.pt",
  speechTokenizer: "speech_tokenizer_v2.onnx",
  speaker: "campplus.onnx",
};

/** Where speakers lie: as the release keeps them, and as the training recipe writes them. */
const SPEAKER_FILES = ["spk2info.pt", "spk2embedding.pt"] as const;

export const BLANK_EN = "CosyVoice-BlankEN";
export const TOKENIZER = {
  vocab: `${BLANK_EN}/vocab.json`,
  merges: `${BLANK_EN}/merges.txt`,
  config: `${BLANK_EN}/tokenizer_config.json`,
} as const;

export async function isOfficial(folder: Folder): Promise<boolean> {
  for (const path of [...YAMLS, TOKENIZER.vocab, ...Object.values(OFFICIAL_FILES)])
    if (await folder.has(path)) return true;
  return false;
}

export interface OfficialParts extends Parts {
  /** Paths of the files it was read from. */
  readonly inputs: readonly string[];
}

/**
 * @param wanted components that must be there; by default whatever is there
 * @throws FileError when a file is missing, damaged, or of another generation.
 */
export async function openOfficial(folder: Folder, wanted?: readonly Component[]): Promise<OfficialParts> {
  const files = new OpenFiles();
  return files.guard(async () => {
    // First, for what it says of the generation is the reason why other files do not fit.
    const described = await findYaml(folder);
    const present = await presentComponents(folder, wanted);
    if (!described && present.length > 0) throw new FileError(`${folder.name}/${YAMLS[0]} is missing`);
    const tensors = new Map<Component, ReadonlyMap<string, LazyTensor>>();
    const shapes = new Map<Component, Shapes>();
    const onnx = new Map<Component, OnnxTensors>();
    const warnings: string[] = [];
    for (const component of present) {
      const path = OFFICIAL_FILES[component];
      if (component === "lm" || component === "flow" || component === "vocoder") {
        const state = await openState(files.add(await folder.open(path)), component);
        warnings.push(...state.warnings);
        tensors.set(component, { lm: lmTensors, flow: flowTensors, vocoder: vocoderTensors }[component](state.tensors));
      } else {
        const graph = files.add(await openOnnx(folder, path));
        const named = await { speechTokenizer: speechTokenizerTensors, speaker: speakerTensors }[component](graph);
        tensors.set(component, named.tensors);
        onnx.set(component, named);
      }
      shapes.set(component, new Shapes(`${folder.name}/${path}`, tensors.get(component) ?? new Map()));
    }
    const built = buildConfig({
      // A folder with nothing but the tokenizer has none.
      yaml: described?.yaml ?? new Lookup(`${folder.name}/${YAMLS[0]}`, {}),
      blank: await readBlank(folder),
      lm: shapes.get("lm"),
      flow: shapes.get("flow"),
      vocoder: shapes.get("vocoder"),
      speechTokenizer: both(shapes.get("speechTokenizer"), onnx.get("speechTokenizer")),
      speaker: both(shapes.get("speaker"), onnx.get("speaker")),
    });
    const config = parseConfig(new Lookup(`${folder.name}: configuration`, built));
    const speakers = await usable(await readSpeakers(folder, files), config.flow, folder.name);
    const fixed = [...SPEAKER_FILES, `${BLANK_EN}/config.json`, ...Object.values(TOKENIZER)];
    return {
      config,
      components: tensors,
      voices: speakers.voices,
      damaged: speakers.damaged,
      tokenizer: TOKENIZER,
      warnings: [...warnings, ...leftOut(speakers, folder.name)],
      inputs: [
        ...present.map((component) => OFFICIAL_FILES[component]),
        ...(described ? [described.path] : []),
        ...fixed,
      ],
      close: () => files.close(),
    };
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
    else if (wanted) {
      const instead = await elsewhere(folder, component);
      throw new FileError(
        `${folder.name}: ${path} is missing; ${instead ?? "the official release of CosyVoice2-0.5B holds it"}`,
      );
    }
  }
  return present;
}

/** Where a component lies that is not in its file, and what to do; undefined when it is nowhere. */
async function elsewhere(folder: Folder, component: Component): Promise<string | undefined> {
  try {
    return renaming(await filesWith(folder, component, Object.values(OFFICIAL_FILES)), OFFICIAL_FILES[component]);
  } catch (error) {
    if (error instanceof AdapterError) return error.message;
    throw error;
  }
}

/** What the folder lacks that is not needed to convert it, and what that will mean when speaking, a line each. */
export async function lacking(folder: Folder, { components, voices, damaged }: Parts): Promise<string[]> {
  const lines: string[] = [];
  const without = async (component: Component, what: string, means: string) => {
    if (components.has(component)) return;
    const instead = await elsewhere(folder, component);
    lines.push(
      `${folder.name}: no ${OFFICIAL_FILES[component]}, so no ${what}: ${means}${instead ? `; ${instead}` : ""}`,
    );
  };
  const hears = components.has("speechTokenizer") && components.has("speaker");
  await without("speechTokenizer", "speech tokenizer", "recordings cannot be used (--prompt-wav, vc, voice add)");
  await without("speaker", "speaker encoder", "no voice can be made of a recording (--prompt-wav, voice add)");
  if (voices.size + damaged.size === 0) {
    const way = hears
      ? "speak needs --prompt-wav, or a voice file with --voice"
      : "speak needs a voice file with --voice";
    lines.push(`${folder.name}: no ${SPEAKER_FILES.join(" or ")} with a speaker, so no trained speakers: ${way}`);
  }
  return lines;
}

/** Speakers of all files that hold some; the first file that knows a name says who that is. */
async function readSpeakers(folder: Folder, files: OpenFiles): Promise<Speakers> {
  const voices = new Map<string, ReadonlyMap<string, LazyTensor>>();
  const damaged = new Map<string, FileError>();
  for (const path of SPEAKER_FILES) {
    if (!(await folder.has(path))) continue;
    const found = await speakersIn(await openTorch(files.add(await folder.open(path))));
    for (const [name, error] of found.damaged) if (!voices.has(name)) damaged.set(name, error);
    for (const [name, tensors] of found.voices) {
      if (voices.has(name)) continue;
      voices.set(name, tensors);
      damaged.delete(name);
    }
  }
  return { voices, damaged, notes: [] };
}

async function readBlank(folder: Folder): Promise<Lookup | undefined> {
  const path = `${BLANK_EN}/config.json`;
  if (!(await folder.has(path))) return undefined;
  return new Lookup(`${folder.name}/${path}`, await readJson(folder, path));
}
