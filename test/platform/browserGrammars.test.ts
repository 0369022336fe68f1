/** The browser's half of the text grammars: the same files, fetched where they lie beside the compiled package. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { openGrammars } from "../../src/platform/browser.js";
import { namedAddresses } from "../../src/platform/browserFiles.js";
import { Wetext } from "../../src/text/wetext/wetext.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
afterEach(() => vi.unstubAllGlobals());

/** Serves what is asked for at its place in the package, without ranges. */
function serve(): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (address: URL) => {
    const name = address.pathname.split("/").slice(-3).join("/");
    asked.push(name);
    return new Response(readFileSync(root + name));
  });
  return asked;
}

test("a text fetches the grammars of its language, once", async () => {
  const asked = serve();
  const wetext = new Wetext(openGrammars);
  expect((await wetext.normalizerFor("5个"))("5个")).toBe("五个");
  await wetext.normalizerFor("6个");
  expect(asked).toEqual(["weights/wetext/zh-tagger.packed", "weights/wetext/zh-verbalizer.packed"]);
});

test("an address that a bundle lost, a missing file and an unknown one give one line each", async () => {
  vi.stubGlobal("fetch", async () => new Response(null, { status: 404, statusText: "Not Found" }));
  await expect(new Wetext(openGrammars).normalizerFor("five")).rejects.toThrow(
    /en-tagger.packed: the server answers 404 Not Found; without this grammar, choose the normaliser "none"$/,
  );
  const folder = namedAddresses("the grammars", { lost: () => new URL("lost") });
  await expect(folder.open("lost")).rejects.toThrow("a bundle without import.meta.url cannot find lost");
  await expect(folder.open("toString")).rejects.toThrow("there is no toString");
  expect([await folder.has("lost"), await folder.has("toString")]).toEqual([true, false]);
});
