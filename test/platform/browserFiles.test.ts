import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { openModel } from "../../src/checkpoint/model.js";
import { InputError } from "../../src/errors.js";
import type { FolderEntry, FolderHandle, ModelSource } from "../../src/modelSource.js";
import { openFile, openFolder } from "../../src/platform/browserFiles.js";

const CONTENT = new TextEncoder().encode("0123456789");
let server: Server;
let base: string;

/** "/ranges/a b" is served with ranges, "/plain/a" without, "/hidden/a" as CORS shows it, "/spa" answers all with a page. */
beforeAll(async () => {
  server = createServer((request, response) => {
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "");
    if (request.url === "/ranges/a%20b" && range) {
      const [from, to] = [Number(range[1]), Math.min(Number(range[2]), CONTENT.length - 1)];
      response.writeHead(206, { "Content-Range": `bytes ${from}-${to}/${CONTENT.length}` });
      response.end(CONTENT.subarray(from, to + 1));
    } else if (request.url === "/hidden/a") {
      if (range) response.writeHead(206);
      response.end(range ? CONTENT.subarray(0, 1) : CONTENT);
    } else if (request.url === "/ranges/a%20b" || request.url === "/plain/a") response.end(CONTENT);
    else if (request.url?.startsWith("/spa/")) response.writeHead(200, { "Content-Type": "text/html" }).end("<p>");
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());
afterEach(() => vi.unstubAllGlobals());

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("addresses", () => {
  it("are read by ranges", async () => {
    const folder = await openFolder(`${base}/ranges`);
    const file = await folder.open("a b");
    expect([file.size, text(await file.read(2, 3)), (await file.read(10, 0)).length]).toEqual([10, "234", 0]);
    await expect(file.read(9, 2)).rejects.toThrow(/bytes 9 .. 11 were asked for, it has 10/);
    expect([await folder.has("a b"), await folder.has("c")]).toEqual([true, false]);
  });

  it("are read as a whole where the server knows no ranges", async () => {
    const file = await openFile(`${base}/plain/a`);
    expect([file.size, text(await file.read(2, 3))]).toEqual([10, "234"]);
  });

  it("are read as a whole where the length of the file is hidden", async () => {
    const file = await openFile(`${base}/hidden/a`);
    expect([file.size, text(await file.read(2, 3))]).toEqual([10, "234"]);
  });

  it("give one line when they are missing, unreachable or outside", async () => {
    await expect(openFile(`${base}/none`)).rejects.toThrow(/the server answers 404/);
    await expect(openFile("http://127.0.0.1:1/x")).rejects.toThrow(/not reachable/);
    await expect((await openFolder(base)).open("../x")).rejects.toThrow(/is not one inside the folder/);
  });

  it("name the other reason when they are those of another origin", async () => {
    vi.stubGlobal("location", { href: "https://page.example/app/" });
    await expect(openFile("http://127.0.0.1:1/x")).rejects.toThrow(
      /^http:\/\/127.0.0.1:1\/x: not reachable \(fetch failed\): it is down, or does not allow pages of https:\/\/page.example \(Access-Control-Allow-Origin\)$/,
    );
  });

  it("that answer with a web page hold no model", async () => {
    await expect((await openFolder(`${base}/spa`)).open("manifest.json")).rejects.toThrow(
      /spa\/manifest.json: the server answers with a web page, as many do where they have no such file$/,
    );
    await expect(openModel(await openFolder(`${base}/spa`))).rejects.toThrow(
      /neither a converted model .*; its server answers with a web page where it has no file; is this the model's address\?$/,
    );
  });

  it("that no page can read are refused, with what to do instead", async () => {
    await expect(openFolder("file:///models/anna")).rejects.toThrow(
      "file:///models/anna: a page cannot read file: addresses; serve the folder over http, or let its files be picked (<input webkitdirectory>)",
    );
    await expect(openFolder("models/anna")).rejects.toThrow(
      "models/anna: not an address; give one that begins with https://",
    );
  });

  it("may be data, which a policy can forbid to fetch", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new Error("refused")));
    const file = await (await openFolder({ a: new URL("data:application/json;base64,eyJhIjo1fQ==") })).open("a");
    expect(text(await file.read(0, file.size))).toBe('{"a":5}');
    expect(text(await (await openFile("data:,a%20b")).read(0, 3))).toBe("a b");
  });
});

const named = (name: string, webkitRelativePath = "") =>
  Object.assign(new File([CONTENT], name), { webkitRelativePath });

/** A folder as `showDirectoryPicker` gives it: names, with null for a file. */
function handle(name: string, tree: Readonly<Record<string, unknown>>): FolderHandle {
  const find = (child: string, isFile: boolean) => {
    if (!(child in tree)) throw new DOMException("it is not there", "NotFoundError");
    if ((tree[child] === null) !== isFile) throw new DOMException("it is of the other kind", "TypeMismatchError");
    return tree[child];
  };
  return {
    kind: "directory",
    name,
    getDirectoryHandle: async (child) => handle(child, find(child, false) as Record<string, unknown>),
    getFileHandle: async (child) => {
      find(child, true);
      return { getFile: async () => named(child) };
    },
  };
}

/** A folder as a drop gives it. */
function entry(paths: readonly string[]): FolderEntry {
  const file = { isFile: true, file: (found: (file: File) => void) => found(named("x")) };
  return {
    isDirectory: true,
    name: "model",
    getFile: (path, _, found, failed) =>
      paths.includes(path) ? found(file) : failed(new DOMException("it is not there", "NotFoundError")),
  };
}

describe("files that a person gives", () => {
  it.each<[string, ModelSource]>([
    ["an array of the files of a picked folder", [named("vocab.json", "model/tokenizer/vocab.json")]],
    ["a FileList", { length: 1, 0: named("vocab.json", "model/tokenizer/vocab.json") }],
    ["a generator", [named("vocab.json", "model/tokenizer/vocab.json")].values()],
    ["a folder handle", handle("model", { tokenizer: { "vocab.json": null } })],
    ["a dropped folder", entry(["tokenizer/vocab.json"])],
  ])("%s", async (_, source) => {
    const folder = await openFolder(source);
    expect(folder.name).toBe("model");
    const opened = await folder.open("tokenizer/vocab.json");
    expect(opened.name).toBe("model/tokenizer/vocab.json");
    expect(text(await opened.read(4, 2))).toBe("45");
    await expect(opened.read(9, 2)).rejects.toThrow(/it has 10/);
    await expect(folder.open("vocab.json")).rejects.toThrow("model/vocab.json: no such file");
    await expect(folder.open("tokenizer")).rejects.toThrow("model/tokenizer: no such file");
    expect([await folder.has("tokenizer/vocab.json"), await folder.has("tokenizer/other")]).toEqual([true, false]);
    await expect(folder.has("../a")).rejects.toThrow(/is not one inside the folder/);
  });

  it("dropped ones are found by their names alone, unless two are alike", async () => {
    const folder = await openFolder([named("vocab.json"), named("config.json"), named("config.json")]);
    expect(text(await (await folder.open("tokenizer/vocab.json")).read(0, 2))).toBe("01");
    expect(await folder.has("manifest.json")).toBe(false);
    expect(await folder.list?.()).toEqual(["vocab.json", "config.json"]);
    await expect(folder.open("config.json")).rejects.toThrow(
      "the given files: 2 of them are called config.json; give the files of one model alone, or the folder itself",
    );
  });

  it("by their paths, in memory or at addresses", async () => {
    const folder = await openFolder({ "a/b": new Blob([CONTENT]), c: new URL(`${base}/ranges/a b`) });
    expect(text(await (await folder.open("a/b")).read(1, 2))).toBe("12");
    expect(text(await (await folder.open("c")).read(1, 2))).toBe("12");
    vi.stubGlobal("fetch", () => Promise.reject(new Error("asked")));
    expect(await folder.list?.()).toEqual(["c"]);
    expect([await folder.has("c"), await folder.has("toString")]).toEqual([true, false]);
    await expect(folder.open("toString")).rejects.toThrow("the given files/toString: no such file");
  });

  it.each<[unknown, string]>([
    [undefined, "undefined"],
    [7, "a number"],
    [{ adapter: "swiftshader" }, "an object"],
    [{}, "an object"],
    [named("a"), "a File"],
    [["a", "b"], "a list that holds other things than files"],
    [new Map([["a", 5]]), "a Map"],
  ])("%o is refused with what can be given", async (source, what) => {
    const refused = openFolder(source as ModelSource);
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(
      new RegExp(
        `^a model cannot be opened from ${what}; give the address of a model folder, .*from "cosyvoice-webgpu/english"$`,
      ),
    );
  });

  it("an empty list is refused", async () => {
    await expect(openFolder([])).rejects.toThrow("the list of files is empty; give the files of a model folder");
  });
});
