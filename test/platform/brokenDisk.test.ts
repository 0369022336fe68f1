/** A folder being written on a disk that fills up, and renames that fail half way. */
import type * as Promises from "node:fs/promises";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createOutputFolder } from "../../src/platform/nodeFiles.js";

type Step = "write" | "sync" | "rename";

/** What fails, with which code; a rename only to the path that ends so. */
const broken = vi.hoisted(() => ({ step: undefined as Step | undefined, code: "", to: "" }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof Promises>();
  const fail = (step: Step) => {
    if (broken.step === step) throw Object.assign(new Error(`${broken.code}: from the test`), { code: broken.code });
  };
  return {
    ...real,
    async open(...args: Parameters<typeof real.open>) {
      const handle = await real.open(...args);
      return new Proxy(handle, {
        get(target, key) {
          if (key === "write" || key === "sync") {
            return async (...rest: never[]) => {
              fail(key);
              return (target[key] as (...rest: never[]) => Promise<unknown>)(...rest);
            };
          }
          const value = Reflect.get(target, key);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
    async rename(from: string, to: string) {
      if (to.endsWith(broken.to) && from.includes(".partial-")) fail("rename");
      return real.rename(from, to);
    },
  };
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cosyvoice-broken-"));
  Object.assign(broken, { step: undefined, code: "", to: "" });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function convertTo(target: string, text: string): Promise<void> {
  const output = await createOutputFolder(target, { force: true, isReplaceable: async () => true });
  try {
    const file = await output.create("manifest.json");
    await file.write(new TextEncoder().encode(text));
    await file.close();
    await output.commit();
  } catch (error) {
    await output.discard();
    throw error;
  }
}

const manifest = (target: string) => readFile(join(target, "manifest.json"), "utf8");

it.each([
  ["write", "ENOSPC", /manifest\.json: the disk is full$/],
  ["sync", "ENOSPC", /manifest\.json: the disk is full$/],
  ["sync", "EDQUOT", /manifest\.json: the disk quota is used up$/],
  ["sync", "EIO", /manifest\.json: the disk failed$/],
  ["rename", "EACCES", /model: permission denied$/],
] as const)("a %s that gives %s leaves the old folder and nothing else", async (step, code, message) => {
  const target = join(folder, "model");
  await convertTo(target, "old");
  Object.assign(broken, { step, code, to: "model" });
  await expect(convertTo(target, "new")).rejects.toThrow(message);
  expect(await readdir(folder)).toEqual(["model"]);
  expect(await manifest(target)).toBe("old");
});

it("a file system that cannot sync is written to all the same", async () => {
  Object.assign(broken, { step: "sync", code: "EINVAL" });
  await convertTo(join(folder, "model"), "new");
  expect(await manifest(join(folder, "model"))).toBe("new");
});

it("what a run killed between its renames moved away comes back, or goes when the new one is there", async () => {
  const [target, old] = [join(folder, "model"), join(folder, "model.old-99999999")];
  await mkdir(old);
  await writeFile(join(old, "manifest.json"), "old");
  const refuse = createOutputFolder(target, { isReplaceable: async () => true });
  await expect(refuse).rejects.toThrow(/already holds a converted model/);
  expect([await readdir(folder), await manifest(target)]).toEqual([["model"], "old"]);
  await mkdir(old);
  await convertTo(target, "new");
  expect([await readdir(folder), await manifest(target)]).toEqual([["model"], "new"]);
});
