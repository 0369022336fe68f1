/** The browser's half: the public entry bundles without Node, and importing it touches nothing. */
import { builtinModules } from "node:module";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { type BuildResult, build } from "esbuild";
import { beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
let result: BuildResult<{ metafile: true; write: false }>;

const OPTIONS = {
  entryPoints: [`${root}src/index.ts`] as string[],
  absWorkingDir: root,
  bundle: true,
  // esbuild knows no Node built-in for this platform: importing one fails the build.
  platform: "browser",
  conditions: ["cosyvoice-source", "browser"] as string[],
  target: "es2023",
  metafile: true,
  write: false,
  logLevel: "silent",
} as const;

beforeAll(async () => {
  result = await build({ ...OPTIONS, format: "iife", globalName: "cosyvoice" });
});

test("the browser entry bundles, and nothing in it is a Node built-in or Node's half of the platform", () => {
  expect(result.errors).toEqual([]);
  const inputs = Object.keys(result.metafile.inputs);
  expect(inputs).toContain("src/platform/browser.ts");
  expect(inputs.filter((path) => /platform\/(node|swiftshader)|src\/cli\//.test(path))).toEqual([]);
  const imported = Object.values(result.metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  expect(imported.filter((path) => path.startsWith("node:") || builtinModules.includes(path))).toEqual([]);
});

test("importing it needs no Node global and does nothing", () => {
  const touched: string[] = [];
  const forbid = (name: string) => () => {
    touched.push(name);
    throw new Error(`${name} was called on import`);
  };
  const context = createContext({
    ...{ TextDecoder, TextEncoder, URL, Blob, File, performance, queueMicrotask, AbortController, DOMException },
    ...{ ReadableStream, WritableStream, TransformStream, CompressionStream, DecompressionStream },
    fetch: forbid("fetch"),
    navigator: { gpu: { requestAdapter: forbid("requestAdapter") } },
    setTimeout: forbid("setTimeout"),
  });
  const [{ text = "" } = {}] = result.outputFiles;
  const names = runInContext(`${text}\nObject.keys(cosyvoice).sort()`, context) as string[];
  expect(Array.from(names)).toEqual(PUBLIC_NAMES);
  expect(touched).toEqual([]);
});

/** The values that `src/index.ts` exports. Changing this list changes the public interface. */
const PUBLIC_NAMES = [
  "CancelledError",
  "CosyVoice",
  "CosyVoiceError",
  "DeviceError",
  "FileError",
  "InputError",
  "InternalError",
  "checkGpu",
  "decodeWav",
  "encodeWav",
];

test("a page that opens a converted model loads no reader of official releases", async () => {
  const { metafile } = await build({ ...OPTIONS, format: "esm", splitting: true, outdir: "out", minify: true });
  const outputs = Object.entries(metafile.outputs);
  const atOnce = new Set(outputs.filter(([, { entryPoint }]) => entryPoint === "src/index.ts").map(([path]) => path));
  for (const path of atOnce) {
    const imports = metafile.outputs[path]?.imports ?? [];
    for (const { kind, path: other } of imports) if (kind === "import-statement") atOnce.add(other);
  }
  const inputs = (path: string) => Object.keys(metafile.outputs[path]?.inputs ?? {});
  const official = /checkpoint\/(official|onnx|pickle|torch|zip)\.ts|node_modules\/(@zip\.js|protobufjs|long|yaml)\//;
  expect([...atOnce].flatMap(inputs).filter((path) => official.test(path))).toEqual([]);
  expect(outputs.flatMap(([path]) => inputs(path)).filter((path) => official.test(path)).length).toBeGreaterThan(50);
  const bytes = [...atOnce].reduce((sum, path) => sum + (metafile.outputs[path]?.bytes ?? 0), 0);
  expect(bytes).toBeLessThan(390_000);
});
