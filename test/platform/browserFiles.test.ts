import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFile, openFolder } from "../../src/platform/browserFiles.js";

const CONTENT = new TextEncoder().encode("0123456789");
let server: Server;
let base: string;

/** "/ranges/a b" is served with ranges, "/plain/a" without, "/hidden/a" as CORS shows it, everything else is missing. */
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
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

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
});

describe("picked files", () => {
  it("are found by their path inside the picked folder", async () => {
    const file = Object.assign(new File([CONTENT], "vocab.json"), { webkitRelativePath: "model/tokenizer/vocab.json" });
    const folder = await openFolder([file]);
    expect(folder.name).toBe("model");
    const opened = await folder.open("tokenizer/vocab.json");
    expect(text(await opened.read(4, 2))).toBe("45");
    await expect(opened.read(9, 2)).rejects.toThrow(/it has 10/);
    await expect(folder.open("vocab.json")).rejects.toThrow(/no such file/);
  });
});
