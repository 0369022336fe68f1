import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHasher, createOutputFolder, openFile, openFolder } from "../../src/platform/nodeFiles.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cosyvoice-files-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const options = { isReplaceable: async (_: unknown, entries: readonly string[]) => entries.includes("manifest.json") };

async function write(target: string, path: string, text: string, force = false) {
  const output = await createOutputFolder(target, { ...options, force });
  const file = await output.create(path);
  await file.write(new TextEncoder().encode(text));
  await file.close();
  return output;
}

describe("reading", () => {
  it("gives any range, and one line for a wrong one", async () => {
    await writeFile(join(folder, "a"), "0123456789");
    const file = await openFile(join(folder, "a"));
    expect(new TextDecoder().decode(await file.read(3, 4))).toBe("3456");
    expect((await file.read(10, 0)).length).toBe(0);
    await expect(file.read(8, 3)).rejects.toThrow(/bytes 8 .. 11 were asked for, it has 10/);
    await expect(file.read(-1, 1)).rejects.toThrow(/it has 10/);
    await file.close();
  });

  it("names a missing file, a folder in its place and a path that leaves the folder", async () => {
    await expect(openFile(join(folder, "b"))).rejects.toThrow(/b: no such file or folder$/);
    await expect(openFile(folder)).rejects.toThrow(/not a file|it is a folder/);
    await expect(openFolder(join(folder, "b"))).rejects.toThrow(/no such file or folder/);
    const opened = await openFolder(folder);
    await expect(opened.open("../a")).rejects.toThrow(/is not one inside the folder/);
    expect(await opened.has("b")).toBe(false);
  });

  it("follows links, as download caches use them", async () => {
    await writeFile(join(folder, "blob"), "x");
    await mkdir(join(folder, "snapshot"));
    await symlink("../blob", join(folder, "snapshot", "llm.pt"));
    const opened = await openFolder(join(folder, "snapshot"));
    expect((await (await opened.open("llm.pt")).read(0, 1))[0]).toBe(120);
  });

  it("hashes a stream", () => {
    const hasher = createHasher();
    for (const text of ["a", "bc"]) hasher.update(new TextEncoder().encode(text));
    expect(hasher.digest()).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  });
});

describe("writing a folder", () => {
  it("shows nothing under its name before it is complete", async () => {
    const target = join(folder, "model");
    const output = await write(target, "tokenizer/vocab.json", "{}");
    expect(await readdir(folder)).toEqual([`model.partial-${process.pid}`]);
    await output.commit();
    expect(await readdir(folder)).toEqual(["model"]);
    expect(await readFile(join(target, "tokenizer", "vocab.json"), "utf8")).toBe("{}");
  });

  it("removes everything when it is discarded, open files too", async () => {
    const output = await write(join(folder, "model"), "a", "x");
    await output.create("b");
    await output.discard();
    expect(await readdir(folder)).toEqual([]);
  });

  it("takes an empty folder, refuses a foreign one, replaces its own when forced", async () => {
    const target = join(folder, "model");
    await mkdir(target);
    await (await write(target, "manifest.json", "1")).commit();
    await expect(write(target, "manifest.json", "2")).rejects.toThrow(
      /already holds a converted model; --force replaces it/,
    );
    await (await write(target, "manifest.json", "2", true)).commit();
    expect(await readFile(join(target, "manifest.json"), "utf8")).toBe("2");
    expect(await readdir(folder)).toEqual(["model"]);

    await rm(join(target, "manifest.json"));
    await writeFile(join(target, "diary.txt"), "mine");
    await expect(write(target, "manifest.json", "3", true)).rejects.toThrow(/not empty and holds other things/);
    await writeFile(join(folder, "file"), "");
    await expect(write(join(folder, "file"), "a", "")).rejects.toThrow(/there is a file of that name/);
  });

  it("clears away what a killed run left, not what a running one is writing", async () => {
    const target = join(folder, "model");
    // No process has this id: Linux counts to 2^22.
    await mkdir(join(folder, "model.partial-99999999"));
    await mkdir(join(folder, `model.partial-${process.ppid}`));
    await (await write(target, "a", "x")).commit();
    expect((await readdir(folder)).sort()).toEqual(["model", `model.partial-${process.ppid}`]);
  });
});
