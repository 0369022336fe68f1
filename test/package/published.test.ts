/** The package as npm would publish it: what is in it, how it is entered, and that strict compilers take its types. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Consumers, root } from "./consumer.js";

let consumers: Consumers;
let installed: string;
beforeAll(() => {
  consumers = new Consumers();
  installed = join(consumers.make("plain", {}), "node_modules", "cosyvoice-webgpu");
});
afterAll(() => consumers?.remove());

/** Everything that is meant to be there, and what it may weigh in bytes all together. */
const CONTENTS: readonly (readonly [RegExp, number])[] = [
  [/^(package\.json|README\.md|LICENSE|NOTICE)$/, 60_000],
  [/^dist\/(src|kernels|weights|bench)\/[\w/]+\.js(\.map)?$/, 5_000_000],
  [/^dist\/src\/(index|english)\.d\.ts$/, 40_000],
  [/^dist\/grammars\/(en|zh)\.js$/, 700_000],
  [/^weights\/wetext\/(LICENSE|README\.md|(en|zh)-(tagger|verbalizer)\.packed)$/, 600_000],
  [/^weights\/english\/(CARD\.md|(config|manifest|sample)\.json|sample\.(png|wav))$/, 400_000],
  [/^weights\/english\/((lm|flow|vocoder|speechTokenizer|speaker|voices)\.safetensors|tokenizer\/[\w.]+)$/, 16_000_000],
];

test("the package holds what is meant to be in it, and nothing else", () => {
  const { files } = consumers;
  expect(files.filter(({ path }) => !CONTENTS.some(([pattern]) => pattern.test(path)))).toEqual([]);
  for (const [pattern, most] of CONTENTS) {
    const sizes = files.filter(({ path }) => pattern.test(path)).map(({ size }) => size);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThan(most);
  }
  const english = Object.keys(
    (JSON.parse(readFileSync(`${root}weights/english/manifest.json`, "utf8")) as { files: object }).files,
  );
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining([
      "dist/src/index.js",
      "dist/src/cli/main.js",
      ...english.map((name) => `weights/english/${name}`),
    ]),
  );
});

test("npm finds nothing to correct in its package.json", () => {
  const before = readFileSync(join(installed, "package.json"), "utf8");
  execFileSync("npm", ["pkg", "fix"], { cwd: installed, stdio: "pipe" });
  expect(readFileSync(join(installed, "package.json"), "utf8")).toBe(before);
});

test("publint has nothing to say", async () => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
});

test("every way to resolve it leads to its types, but those that only know CommonJS or no exports", async () => {
  const analysis = await checkPackage(createPackageFromTarballData(readFileSync(consumers.tarball)));
  if (!analysis.types) throw new Error("it has no types");
  const known = ["node10", "node16-cjs"];
  const problems = analysis.problems.filter(
    (problem) => !("resolutionKind" in problem && known.includes(problem.resolutionKind)),
  );
  expect(problems).toEqual([]);
});

test("source maps carry the sources, which are not in the package", () => {
  const maps = readdirSync(join(installed, "dist"), { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".map"),
  );
  expect(maps.length).toBeGreaterThan(100);
  for (const path of maps) {
    const map = JSON.parse(readFileSync(join(installed, "dist", path), "utf8")) as Record<string, unknown[]>;
    expect(map.sourcesContent?.length).toBe(map.sources?.length);
  }
});

test("the declarations name nothing of the GPU or of the engine's parts", () => {
  const types = readFileSync(join(installed, "dist/src/index.d.ts"), "utf8");
  expect(types.match(/^ +private (?!constructor\(\);)/gm)).toBeNull();
  expect(
    types.match(/\bimport\b|\bGPU[A-Z]\w+|\b(Device|Synthesis|Listener|Tokenizer|Model|Folder|Wetext)\b/g),
  ).toBeNull();
});

const PAGE = `
import { CosyVoice, checkGpu, decodeWav, encodeWav, type ModelSource, type Speech, type Voice } from "cosyvoice-webgpu";
import { english } from "cosyvoice-webgpu/english";

export async function page(
  files: FileList,
  handle: FileSystemDirectoryHandle,
  entry: FileSystemDirectoryEntry,
  context: AudioContext,
): Promise<Blob> {
  const sources: ModelSource[] = [
    english, "model", new URL("https://models.example/anna"), files, Array.from(files), handle, entry, { a: new Blob() },
  ];
  const tts = await CosyVoice.load(sources[0], { onProgress: ({ what }) => console.log(what) });
  const speech: Speech = await tts.speak("Hello.", { seed: 7, signal: AbortSignal.timeout(1000) });
  const buffer = context.createBuffer(1, speech.samples.length, speech.sampleRate);
  buffer.copyToChannel(speech.samples, 0);
  const sound = decodeWav(new Uint8Array(await files[0]!.arrayBuffer()));
  buffer.copyToChannel(sound.samples, 0);
  const voice: Voice = await tts.listen({ samples: buffer.getChannelData(0), sampleRate: buffer.sampleRate }, { name: "me" });
  await tts.convert(sound, { voice });
  // @ts-expect-error Options come second.
  await CosyVoice.load({ voice: "anna" });
  // @ts-expect-error There is no such normaliser.
  await tts.speak("Hello.", { normalizer: "zz" });
  const passed: boolean = (await checkGpu()).passed;
  console.log(passed);
  return new Blob([encodeWav(speech.samples, speech.sampleRate)]);
}
`;

const PROGRAM = `
import { writeFile } from "node:fs/promises";
import { CosyVoice, encodeWav } from "cosyvoice-webgpu";
const tts = await CosyVoice.load();
const { samples, sampleRate } = await tts.speak("Hello, it works.", { seed: 7, speed: 1.1 });
await writeFile("hello.wav", encodeWav(samples, sampleRate));
tts.destroy();
`;

const STRICT = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, noEmit: true, target: "ES2022" };
const WEB = { ...STRICT, lib: ["ES2022", "DOM", "DOM.Iterable"], types: [] };

describe.each(["typescript", "typescript6"])("a strict project compiles with %s", (compiler) => {
  test.each<[string, string, object, string[]]>([
    ["page, bundler", PAGE, { ...WEB, module: "ESNext", moduleResolution: "bundler" }, []],
    ["page, node16", PAGE, { ...WEB, module: "Node16", moduleResolution: "node16" }, []],
    [
      "program, nodenext",
      PROGRAM,
      { ...STRICT, lib: ["ES2023"], types: ["node"], module: "NodeNext" },
      ["@types/node"],
    ],
  ])("%s", (name, source, compilerOptions, packages) => {
    const files = { "main.ts": source, "tsconfig.json": JSON.stringify({ compilerOptions, files: ["main.ts"] }) };
    const folder = consumers.make(`${compiler} ${name}`, files, packages);
    const run = () =>
      execFileSync(process.execPath, [`${root}node_modules/${compiler}/bin/tsc`], {
        ...{ cwd: folder, encoding: "utf8", stdio: "pipe" },
      });
    expect(run()).toBe("");
  });
});
