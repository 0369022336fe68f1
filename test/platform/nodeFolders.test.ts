/** What a model can be opened from in Node. */
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { InputError } from "../../src/errors.js";
import type { ModelSource } from "../../src/modelSource.js";
import { openFolder, packagedVoice } from "../../src/platform/node.js";

const path = packagedVoice();
const address = pathToFileURL(`${path}/`);

test.each<[string, ModelSource]>([
  ["the path of the voice in the package", path],
  ["its address", address],
  ["its address as text", address.href],
  ["addresses of its files", { "sample.json": new URL("sample.json", address) }],
  ["files", [new File(["{}"], "sample.json")]],
])("%s", async (_, source) => {
  const file = await (await openFolder(source)).open("sample.json");
  expect(new TextDecoder().decode(await file.read(0, file.size))).toMatch(/^\{/);
  await file.close();
});

test.each<[unknown, string]>([
  ["https://models.example/anna", "https://models.example/anna in Node"],
  [new URL("https://models.example/anna"), "https://models.example/anna in Node"],
  [{ adapter: "swiftshader" }, "an object"],
  [null, "null"],
])("%s is refused with what can be given", async (source, what) => {
  const refused = openFolder(source as ModelSource);
  await expect(refused).rejects.toThrow(InputError);
  await expect(refused).rejects.toThrow(
    `a model cannot be opened from ${what}; give the path of a model folder or its file: address (an address of the web is for pages: download the folder first), or files by their paths`,
  );
});
