import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { weightTable } from "../../weights/all.js";
import { TINY as TINY_MODEL } from "../helpers/tinyModel.js";
import { TINY, tinyRelease } from "../helpers/tinyRelease.js";
import { floats, torchFile } from "../helpers/torchFile.js";
import { commandLine, cosyvoice } from "./run.js";

/** Rows of the text embedding: 72 MB of it, so that writing takes a while. */
const TEXT_ROWS = 750_000;

let folder: string;
let release: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cosyvoice-convert-"));
  release = join(folder, "release");
  const config = { ...TINY, lm: { ...(TINY.lm as NonNullable<typeof TINY.lm>), textRows: TEXT_ROWS } };
  const state = [...weightTable("lm", config)].map(([name, shape]) => {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    return [name, { shape, storage: floats(name, values) }] as const;
  });
  const files = tinyRelease().set("llm.pt", torchFile(Object.fromEntries(state)));
  // A tokenizer that can be used, or nothing would be converted.
  for (const name of ["vocab.json", "merges.txt", "tokenizer_config.json"]) {
    files.set(`CosyVoice-BlankEN/${name}`, readFileSync(join(TINY_MODEL, "tokenizer", name)));
  }
  for (const [path, content] of files) {
    mkdirSync(dirname(join(release, path)), { recursive: true });
    writeFileSync(join(release, path), content);
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const convert = (...more: string[]) => ["convert", release, join(folder, "model"), "--components", "lm", ...more];

/** Runs a conversion, kills it once it writes the weights, and gives the name of the folder it left. */
async function killedWhileWriting(...more: string[]): Promise<string> {
  const child = spawn(process.execPath, [commandLine, ...convert(...more)], { stdio: "ignore" });
  const ended = once(child, "exit");
  const partial = `model.partial-${child.pid}`;
  while (child.exitCode === null && !existsSync(join(folder, partial, "lm.safetensors"))) await sleep(1);
  child.kill("SIGKILL");
  expect(await ended).toEqual([null, "SIGKILL"]);
  return partial;
}

test("what cannot speak is refused before anything is written, and leaves no folder", async () => {
  const at = (...more: string[]) => ["convert", release, join(folder, "new", "deep", "model"), ...more];
  writeFileSync(join(release, "CosyVoice-BlankEN", "vocab.json"), "{");
  const { status, stderr } = await cosyvoice(at("--components", "lm"));
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^error: \S+release: vocab\.json: not JSON [^\n]*\n$/)]);
  writeFileSync(
    join(release, "llm.pt"),
    `version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize 1\n`,
  );
  expect((await cosyvoice(at())).stderr).toMatch(/^error: \S+llm\.pt: a Git LFS pointer, .*run git lfs pull[^\n]*\n$/);
  expect(readdirSync(folder)).toEqual(["release"]);
}, 60_000);

test("a conversion that is killed leaves nothing that looks finished, and the next one cleans up", async () => {
  const first = await killedWhileWriting();
  expect(readdirSync(folder).sort()).toEqual([first, "release"]);
  expect(readdirSync(join(folder, first))).toEqual(["lm.safetensors"]);
  const partial = await cosyvoice(["speak", "Yes.", "--model", join(folder, first), "-o", join(folder, "a.wav")]);
  expect(partial.stderr).toMatch(
    /^error: .*neither a converted model \(no manifest\.json; was its conversion cut short/m,
  );

  expect(await cosyvoice(convert())).toMatchObject({ status: 0 });
  expect(readdirSync(folder).sort()).toEqual(["model", "release"]);

  const manifest = readFileSync(join(folder, "model", "manifest.json"), "utf8");
  const second = await killedWhileWriting("--force", "--dtype", "f16");
  expect(readdirSync(folder).sort()).toEqual(["model", second, "release"]);
  expect(readFileSync(join(folder, "model", "manifest.json"), "utf8")).toBe(manifest);
}, 240_000);
