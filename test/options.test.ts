/** Options that cannot be used are refused before anything is opened or computed. */
import { expect, test } from "vitest";
import { decodeWav } from "../src/audio/readWav.js";
import { CosyVoice, type LoadOptions } from "../src/cosyvoice.js";
import { InputError } from "../src/errors.js";
import { type ConvertOptions, checkConversion, checkRequest, type SpeakOptions } from "../src/speech.js";

const NOWHERE = "/there/is/no/such/folder";

test.each<[object, string | RegExp]>([
  [{ normalizer: "zz" }, 'normalizer "zz" is unknown; it is one of "wetext", "none", or left out'],
  [
    { mode: "clone" },
    'mode "clone" is unknown; it is one of "sft", "zero-shot", "cross-lingual", "instruct", or left out',
  ],
  [{ compat: true }, 'compat true is unknown; it is one of "official", or left out'],
  [{ normaliser: "none" }, /^speak: there is no option "normaliser"; it takes voice, mode, .*, sourceNoise$/],
])("speak refuses %o", (options, message) => {
  const speak = () => checkRequest("Hello.", options as SpeakOptions);
  expect(speak).toThrow(InputError);
  expect(speak).toThrow(message);
});

test("convert refuses what only speak takes", () => {
  expect(() => checkConversion({ speed: 2 } as ConvertOptions)).toThrow(
    /^convert: there is no option "speed"; it takes /,
  );
  expect(() => checkConversion({ compat: "ours" } as unknown as ConvertOptions)).toThrow('compat "ours" is unknown');
});

test.each<[object, string]>([
  [{ dtype: "f64" }, 'dtype "f64" is unknown; it is one of "f32", "f16", or left out'],
  [
    { device: "nvidia" },
    'load: there is no option "device"; it takes adapter, dtype, voice, grammars, signal, onProgress',
  ],
])("load refuses %o", async (options, message) => {
  const loading = CosyVoice.load(NOWHERE, options as LoadOptions);
  await expect(loading).rejects.toThrow(InputError);
  await expect(loading).rejects.toThrow(message);
});

test("load without a source opens the voice in the package, which does not know every voice", async () => {
  await expect(CosyVoice.load(undefined, { voice: "nobody" })).rejects.toThrow(
    /^voice "nobody" is unknown; the model has .*"slt"/,
  );
});

test("a recording needs no name", () => {
  expect(() => decodeWav(new Uint8Array(4))).toThrow(/^the recording: /);
});
