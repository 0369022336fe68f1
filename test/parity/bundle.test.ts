import { expect, test } from "vitest";
import { safetensorsHeader } from "../../src/checkpoint/safetensors.js";
import type { Folder } from "../../src/checkpoint/source.js";
import { openBundle } from "../../src/parity/bundle.js";

/** A folder in memory. */
function folder(files: Readonly<Record<string, Uint8Array | string>>): Folder {
  const bytes = new Map(
    Object.entries(files).map(([path, data]) => [
      path,
      typeof data === "string" ? new TextEncoder().encode(data) : data,
    ]),
  );
  return {
    name: "bundle",
    has: async (path) => bytes.has(path),
    async open(path) {
      const data = bytes.get(path) ?? new Uint8Array();
      return {
        name: `bundle/${path}`,
        size: data.length,
        read: async (offset, length) => data.slice(offset, offset + length),
        close: async () => {},
      };
    },
  };
}

function reference(format: string, names: readonly string[]): Uint8Array {
  const header = safetensorsHeader(
    names.map((name) => ({ name, shape: [1, 2], type: "F32" as const })),
    { format },
  );
  const values = new Uint8Array(Float32Array.from({ length: 2 * names.length }, (_, i) => i).buffer);
  return Uint8Array.from([...header, ...values]);
}

test("groups tensors by stage and case, and reads one when asked", async () => {
  const files = { "reference.safetensors": reference("cosyvoice-parity-1", ["flow/a/mel", "flow/a/mu", "new/b/x"]) };
  const { cases, texts } = await openBundle(folder(files));
  expect(cases.map(({ stage, name, tensorNames }) => [stage, name, tensorNames])).toEqual([
    ["flow", "a", ["mel", "mu"]],
    ["new", "b", ["x"]],
  ]);
  expect(texts).toEqual([]);
  expect(Array.from(await (cases[0] as (typeof cases)[0]).floats("mu", [null, 2]))).toEqual([2, 3]);
  await expect(cases[0]?.floats("mu", [3, 2])).rejects.toThrow("flow/a/mu: [1, 2] of F32, expected F32 [3, 2]");
  await expect(cases[0]?.read("token")).rejects.toThrow("the bundle lacks its tensor token");
  await expect(cases[0]?.ids("mu")).rejects.toThrow("expected a list of I32");
});

test("text.json alone is a bundle", async () => {
  const { cases, texts } = await openBundle(folder({ "text.json": '[{"text": "a", "prompt": false, "ids": [1]}]' }));
  expect(cases).toEqual([]);
  expect(texts).toEqual([{ text: "a", prompt: false, normalizer: "none", ids: [1] }]);
});

test.each([
  [{}, "neither reference.safetensors nor text.json is there"],
  [{ "text.json": "{" }, "not JSON"],
  [{ "text.json": "{}" }, "not a list"],
  [{ "text.json": '[{"text": 1}]' }, "entry 0 does not have the fields"],
  [{ "text.json": '[{"text": "a", "ids": ["x"]}]' }, "entry 0 does not have the fields"],
  [{ "reference.safetensors": reference("other", ["a/b/c"]) }, 'its format is "other"'],
  [{ "reference.safetensors": reference("cosyvoice-parity-1", ["a/b"]) }, "is called stage/case/tensor"],
  [{ "reference.safetensors": new Uint8Array(4) }, "too short"],
])("a bundle that is none: %#", async (files, message) => {
  await expect(openBundle(folder(files as Record<string, string>))).rejects.toThrow(message);
});
