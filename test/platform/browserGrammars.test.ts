/** The browser's half of the text grammars: modules that the build makes of the packed files, and where they can be had instead. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { openFolder, openGrammars } from "../../src/platform/browser.js";
import { Wetext } from "../../src/text/wetext/wetext.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
afterEach(() => {
  vi.unstubAllGlobals();
  vi.doUnmock("#grammars/en");
  vi.resetModules();
});

test.each(["en-tagger", "en-verbalizer", "zh-tagger", "zh-verbalizer"])("%s holds the packed file", async (name) => {
  const file = await (await openGrammars()).open(`${name}.packed`);
  expect(Buffer.from(await file.read(0, file.size)).equals(readFileSync(`${root}weights/wetext/${name}.packed`))).toBe(
    true,
  );
});

test("they read a text without any request, and there are no others", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new Error("asked")));
  const wetext = new Wetext(openGrammars);
  expect((await wetext.normalizerFor("5个"))("5个")).toBe("五个");
  expect((await wetext.normalizerFor("I paid 23."))("I paid 23.")).toBe("I paid twenty three.");
  const folder = await openGrammars();
  expect([await folder.has("fr-tagger.packed"), await folder.has("toString")]).toEqual([false, false]);
});

test("a module that the server lacks gives one line with both ways out", async () => {
  vi.doMock("#grammars/en", () => {
    throw new TypeError("Failed to fetch dynamically imported module");
  });
  await expect(new Wetext(openGrammars).normalizerFor("five")).rejects.toThrow(
    /^the grammars of this package \(en\) did not load \(.*\); every file that the bundler wrote must be on the server, or give the option "grammars" the address of a copy of node_modules\/cosyvoice-webgpu\/weights\/wetext; without this grammar, choose the normaliser "none"$/s,
  );
});

test("a web page in the place of a grammar is named", async () => {
  const headers = { "Content-Type": "text/html; charset=utf-8" };
  vi.stubGlobal("fetch", async () => new Response("<!doctype html>", { headers }));
  const wetext = new Wetext(() => openFolder("https://page.example/grammars"));
  await expect(wetext.normalizerFor("five")).rejects.toThrow(
    'https://page.example/grammars/en-tagger.packed: the server answers with a web page, as many do where they have no such file; without this grammar, choose the normaliser "none"',
  );
});
