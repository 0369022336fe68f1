import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { weightTable } from "../../weights/all.js";
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
  for (const [path, content] of tinyRelease().set("llm.pt", torchFile(Object.fromEntries(state)))) {
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
