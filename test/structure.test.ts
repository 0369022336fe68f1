/** The architecture as a test: who may import whom, what is public, and that importing does nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

interface Source {
  /** Path from the root, with "/". */
  readonly path: string;
  /** Imported modules: paths from the root for our own, names for packages. */
  readonly imports: readonly string[];
}

function sources(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => {
      const path = join(folder, name).replaceAll("\\", "/");
      const text = read(path);
      const specifiers = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"([^"]+)"/g)].map(
        (match) => match[1] as string,
      );
      const own = (name: string) => relative(root, resolve(root, dirname(path), name)).replace(/\.js$/, ".ts");
      return { path, imports: specifiers.map((name) => (name.startsWith(".") ? own(name) : name)) };
    });
}

const src = sources("src");
const kernels = sources("kernels");
const everything = [...src, ...kernels, ...sources("weights")];

const STAGES = ["text", "lm", "flow", "vocoder", "speechTokenizer", "speaker"];

/** Imports of `files` that no rule of `allowed` accepts, as "file imports module". */
function violations(files: readonly Source[], allowed: (module: string, file: string) => boolean): string[] {
  return files.flatMap(({ path, imports }) =>
    imports.filter((module) => !allowed(module, path)).map((module) => `${path} imports ${module}`),
  );
}

const inFolder = (module: string, ...folders: readonly string[]) =>
  folders.some((folder) => module.startsWith(`${folder}/`));

describe("data flows one way", () => {
  test("src/gpu knows nothing of models or stages", () => {
    const files = src.filter(({ path }) => inFolder(path, "src/gpu"));
    expect(files.length).toBeGreaterThan(4);
    expect(violations(files, (module) => inFolder(module, "src/gpu") || module === "src/errors.ts")).toEqual([]);
  });

  test("kernels know only the kernel language and the fragments they share", () => {
    const files = kernels.filter(({ path }) => path !== "kernels/all.ts");
    const allowed = ["src/gpu/kernel.ts", "wgsl-preprocessor/wgsl-preprocessor.js"];
    const definesKernel = new Set(
      files.filter(({ path }) => read(path).includes("defineKernel(")).map(({ path }) => path),
    );
    const isFragment = (module: string) => inFolder(module, "kernels") && !definesKernel.has(module);
    expect(violations(files, (module) => allowed.includes(module) || isFragment(module))).toEqual([]);
  });

  test("ops stand on the GPU layer and the kernels", () => {
    const files = src.filter(({ path }) => inFolder(path, "src/ops"));
    const allowed = ["src/errors.ts", "src/checkpoint/model.ts", "src/config.ts", "src/random.ts"];
    expect(
      violations(files, (module) => inFolder(module, "src/gpu", "src/ops", "kernels") || allowed.includes(module)),
    ).toEqual([]);
  });

  test.each(STAGES)("the stage %s imports no other stage", (stage) => {
    const files = src.filter(({ path }) => inFolder(path, `src/${stage}`));
    const others = [...STAGES.filter((other) => other !== stage).map((other) => `src/${other}`)];
    const above = ["src/cli", "src/parity", "src/platform"];
    const isTop = (module: string) => ["src/index.ts", "src/cosyvoice.ts", "src/stream.ts"].includes(module);
    expect(violations(files, (module) => !inFolder(module, ...others, ...above) && !isTop(module))).toEqual([]);
  });

  test("the checkpoint readers know no stage and no GPU", () => {
    const files = src.filter(({ path }) => inFolder(path, "src/checkpoint"));
    expect(files.length).toBeGreaterThan(4);
    const forbidden = [
      ...STAGES.map((stage) => `src/${stage}`),
      "src/gpu",
      "src/ops",
      "src/cli",
      "src/platform",
      "kernels",
    ];
    expect(violations(files, (module) => !inFolder(module, ...forbidden))).toEqual([]);
  });

  test("nothing but the command line imports the command line", () => {
    const files = everything.filter(({ path }) => !inFolder(path, "src/cli"));
    expect(violations(files, (module) => !inFolder(module, "src/cli"))).toEqual([]);
  });
});

test("only src/platform and src/cli name Node", () => {
  const files = everything.filter(({ path }) => !inFolder(path, "src/platform", "src/cli"));
  const nodeOnly = ["webgpu", "env-paths", "tar-stream", "cli-progress", "commander"];
  expect(violations(files, (module) => !module.startsWith("node:") && !nodeOnly.includes(module))).toEqual([]);
});

test("the core reaches the platform through #platform alone", () => {
  const files = everything.filter(({ path }) => !inFolder(path, "src/platform", "src/cli"));
  expect(violations(files, (module) => !inFolder(module, "src/platform"))).toEqual([]);
});

test("src/index.ts is the only file that re-exports others", () => {
  const barrels = src.filter(({ path }) => /^export \* from/m.test(read(path)));
  expect(barrels.map(({ path }) => path)).toEqual([]);
});

test("no file is longer than about 400 lines", () => {
  const long = everything.filter(({ path }) => read(path).split("\n").length > 420);
  expect(long.map(({ path }) => path)).toEqual([]);
});

test("the public names, types included, are pinned", () => {
  const exported = [...read("src/index.ts").matchAll(/export (type )?\{([^}]*)\}/g)].flatMap((match) =>
    (match[2] as string).split(",").map((name) => name.replace(/\btype\b/, "").trim()),
  );
  expect(exported.filter((name) => name !== "").sort()).toEqual([
    "AdapterReportData",
    "CancelledError",
    "ConvertOptions",
    "CosyVoice",
    "CosyVoiceError",
    "DeviceError",
    "FileError",
    "FilesByPath",
    "FolderEntry",
    "FolderHandle",
    "GivenFile",
    "GpuCheck",
    "GpuCheckOptions",
    "InputError",
    "InternalError",
    "ListenOptions",
    "LoadOptions",
    "Mode",
    "ModelSource",
    "Progress",
    "SelfTestResult",
    "Sound",
    "SpeakOptions",
    "Speech",
    "SpokenSegment",
    "Stop",
    "Timings",
    "Voice",
    "VoicePrompt",
    "WeightDtype",
    "checkGpu",
    "decodeWav",
    "encodeWav",
  ]);
});
