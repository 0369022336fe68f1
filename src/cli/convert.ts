/** `cosyvoice convert`: an official release to a model folder. */
import { createRequire } from "node:module";
import { type Command, InvalidArgumentError, Option } from "commander";
import { convert } from "../checkpoint/convert.js";
import type { WeightDtype } from "../checkpoint/model.js";
import { MANIFEST, type Manifest, TOP_LEVEL } from "../checkpoint/modelFolder.js";
import { COMPONENTS, type Component } from "../config.js";
import { createHasher, createOutputFolder, openFolder } from "../platform/nodeFiles.js";
import { checkSpeakable } from "../speakable.js";
import { interrupted } from "./interrupt.js";
import { commaList, example } from "./options.js";
import { warn } from "./output.js";
import { showProgress } from "./progress.js";

/** The release's own words for the components are understood too. */
const COMPONENT_NAMES: Readonly<Record<string, Component>> = {
  ...Object.fromEntries(COMPONENTS.map((component) => [component, component])),
  llm: "lm",
  hift: "vocoder",
  speech_tokenizer: "speechTokenizer",
  campplus: "speaker",
};

interface Options {
  readonly dtype: WeightDtype;
  readonly components?: Component[];
  readonly force?: boolean;
  readonly json?: boolean;
}

export function registerConvert(program: Command): void {
  program
    .command("convert")
    .summary("make a model folder from an official release, without Python")
    .description(
      "make a model folder from an official release of CosyVoice2 (its yaml, llm.pt, flow.pt, hift.pt, the ONNX files, CosyVoice-BlankEN). Pickles are read, never run.",
    )
    .argument("<official-dir>", "the release as downloaded, or a fine-tuned checkpoint in the same layout")
    .argument("<model-dir>", "the folder to write; it must not exist, be empty, or hold a converted model (--force)")
    .addOption(new Option("--dtype <type>", "how matrices are stored").choices(["f32", "f16"]).default("f32"))
    .option("--components <list>", `only these: ${Object.keys(COMPONENT_NAMES).join(", ")}`, parseComponents)
    .option("--force", "replace a converted model")
    .option("--json", "print the manifest as JSON")
    .addHelpText("after", example("cosyvoice convert CosyVoice2-0.5B model --dtype f16"))
    .action(async (from: string, to: string, options: Options) => {
      const manifest = await run(from, to, options);
      process.stdout.write(options.json ? `${JSON.stringify(manifest, null, 2)}\n` : summary(to, manifest));
    });
}

async function run(from: string, to: string, { dtype, components, force = false }: Options): Promise<Manifest> {
  const { version } = createRequire(import.meta.url)("cosyvoice-webgpu/package.json") as { version: string };
  const source = await openFolder(from);
  const output = await createOutputFolder(to, {
    force,
    isReplaceable: async (folder, entries) =>
      (await folder.has(MANIFEST)) && entries.every((entry) => TOP_LEVEL.has(entry)),
  });
  const progress = showProgress("converting");
  const warnings: string[] = [];
  try {
    return await convert(source, output, {
      dtype,
      ...(components && { components }),
      version,
      createHasher,
      check: checkSpeakable,
      onWarning: (warning) => warnings.push(warning),
      signal: interrupted,
      onProgress: ({ file, done, total }) => progress.update(done, total, file),
    });
  } finally {
    progress.stop();
    warn(warnings);
  }
}

function parseComponents(text: string): Component[] {
  const components = commaList(text).map((name) => {
    const component = COMPONENT_NAMES[name];
    if (!component) throw new InvalidArgumentError(`"${name}" is not a component.`);
    return component;
  });
  if (components.length === 0) throw new InvalidArgumentError("It names no component.");
  return COMPONENTS.filter((component) => components.includes(component));
}

function summary(to: string, { dtype, files, components }: Manifest): string {
  const bytes = Object.values(files).reduce((sum, file) => sum + file.bytes, 0);
  return `${to}: ${components.join(", ")} in ${dtype}, ${(bytes / 1e6).toFixed(1)} MB\n`;
}
