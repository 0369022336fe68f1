/**
 * Which generation of CosyVoice a folder's yaml describes. Names do not tell: the first releases of CosyVoice2 called theirs
 * `cosyvoice.yaml`, as CosyVoice does, and people keep several beside each other. The classes that it builds tell.
 */
import { FileError } from "../errors.js";
import { parseHyperpyyaml, type Yaml, type YamlMap } from "./hyperpyyaml.js";
import { Lookup } from "./lookup.js";
import { type Folder, readText } from "./source.js";

/** Names that releases give their yaml, the likeliest first. */
export const YAMLS = ["cosyvoice2.yaml", "cosyvoice.yaml", "cosyvoice3.yaml"] as const;

/** Files of other names that are looked into. */
const MAX_OTHERS = 20;

/** Ends of class names; CosyVoice's own are also the ends of later ones, and come last. */
const CLASSES: readonly (readonly [key: "llm" | "flow", name: RegExp, generation: 1 | 2 | 3])[] = [
  ["llm", /Qwen2LM$/, 2],
  ["llm", /CosyVoice3LM$/, 3],
  ["llm", /TransformerLM$/, 1],
  ["flow", /CausalMaskedDiffWithXvec$/, 2],
  ["flow", /CausalMaskedDiffWithDiT$/, 3],
  ["flow", /\bMaskedDiffWithXvec$/, 1],
];

const NAMES = { 1: "CosyVoice (1)", 2: "CosyVoice2", 3: "CosyVoice3" } as const;

interface Found {
  readonly path: string;
  readonly yaml: YamlMap;
  readonly generation: 1 | 2 | 3 | undefined;
  /** The class that told. */
  readonly by: string;
}

function isMap(value: Yaml | undefined): value is YamlMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function generationOf(yaml: YamlMap): Pick<Found, "generation" | "by"> {
  for (const [key, name, generation] of CLASSES) {
    const part = yaml[key];
    const tag = isMap(part) ? part["!"] : undefined;
    if (typeof tag === "string" && name.test(tag)) return { generation, by: tag.replace(/^.*[.:]/, "") };
  }
  return { generation: undefined, by: "" };
}

/**
 * The folder's yaml that describes CosyVoice2, whatever its name; one of the usual name that does not say is taken for it.
 * @returns undefined when there is no yaml at all
 * @throws FileError when there are others only, or the one there is cannot be read
 */
export async function findYaml(folder: Folder): Promise<{ path: string; yaml: Lookup } | undefined> {
  const found: Found[] = [];
  let broken: FileError | undefined;
  for await (const path of yamlPaths(folder)) {
    const name = `${folder.name}/${path}`;
    try {
      const yaml = parseHyperpyyaml(await readText(folder, path), name);
      found.push({ path, yaml, ...generationOf(yaml) });
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // A yaml of another name may be anything.
      if ((YAMLS as readonly string[]).includes(path)) broken ??= error;
      continue;
    }
    if (found.at(-1)?.generation === 2) break;
  }
  const chosen =
    found.find(({ generation }) => generation === 2) ??
    found.find(({ path, generation }) => path === YAMLS[0] && generation === undefined);
  if (chosen) return { path: chosen.path, yaml: new Lookup(`${folder.name}/${chosen.path}`, chosen.yaml) };
  if (broken) throw broken;
  const [other] = found.filter(({ generation }) => generation !== undefined);
  if (other?.generation) {
    throw new FileError(
      `${folder.name}/${other.path}: it describes ${NAMES[other.generation]}, by its ${other.by}; only CosyVoice2 is supported`,
    );
  }
  const [unknown] = found.filter(({ path }) => (YAMLS as readonly string[]).includes(path));
  if (!unknown) return undefined;
  throw new FileError(
    `${folder.name}/${unknown.path}: it does not say which CosyVoice it describes, its llm should be a Qwen2LM; take the yaml of the release`,
  );
}

/** Those of the usual names, then others; none is asked for before it is needed. */
async function* yamlPaths(folder: Folder): AsyncGenerator<string> {
  for (const path of YAMLS) if (await folder.has(path)) yield path;
  const all = (await folder.list?.()) ?? [];
  const others = all.filter((path) => /\.ya?ml$/i.test(path) && !(YAMLS as readonly string[]).includes(path)).sort();
  yield* others.slice(0, MAX_OTHERS);
}
