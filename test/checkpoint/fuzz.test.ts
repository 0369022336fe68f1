/**
 * Hundreds of damaged files of every format. Each must parse, or give one of the library's own errors: no other exception, no
 * read outside the file, no long wait, no allocation beyond the size of the input.
 */
import { describe, expect, it } from "vitest";
import { convert } from "../../src/checkpoint/convert.js";
import { parseHyperpyyaml } from "../../src/checkpoint/hyperpyyaml.js";
import { openModel } from "../../src/checkpoint/model.js";
import { openOnnx } from "../../src/checkpoint/onnx.js";
import { speakerTensors, speechTokenizerTensors } from "../../src/checkpoint/onnxNames.js";
import { openSafetensors } from "../../src/checkpoint/safetensors.js";
import { speakersIn } from "../../src/checkpoint/speakers.js";
import { openState } from "../../src/checkpoint/stateFile.js";
import type { LazyTensor } from "../../src/checkpoint/tensor.js";
import { openTorch } from "../../src/checkpoint/torch.js";
import { readZip } from "../../src/checkpoint/zip.js";
import { fuzz, MUTATIONS } from "../helpers/fuzz.js";
import { memoryFile, memoryFolder, memoryOutput, sha256 } from "../helpers/memoryFiles.js";
import { tinyRelease } from "../helpers/tinyRelease.js";
import { floats, type Saved, torchFile, zipFile } from "../helpers/torchFile.js";

/** Inputs are under 1 MB; nothing read from them may need more than this in all. */
const MOST_BYTES = 64 * 2 ** 20;

/** Reads every tensor to its end. */
async function drain(tensors: Iterable<LazyTensor>): Promise<void> {
  let bytes = 0;
  for (const tensor of tensors) {
    bytes += tensor.elements * 4;
    expect(bytes).toBeLessThan(MOST_BYTES);
    await tensor.read(0, tensor.elements);
  }
}

const release = tinyRelease();
const bytesOf = (path: string) => {
  const content = release.get(path) ?? "";
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
};

describe(`${MUTATIONS} damaged files each`, () => {
  it("torch: a state dict with views of all kinds", async () => {
    const storage = floats(
      "s",
      Float32Array.from({ length: 24 }, (_, i) => i),
    );
    const tensors: Saved = {
      a: { shape: [4, 6], storage },
      b: { shape: [6, 4], stride: [1, 6], storage },
      c: { shape: [], offset: 3, storage },
      d: { shape: [2, 3], offset: 5, storage: { key: "l", type: "LongStorage", count: 11, bytes: new Uint8Array(88) } },
      epoch: 7,
      step: 2 ** 40,
    };
    const refused = await fuzz(torchFile(tensors), 1, async (bytes) => {
      await drain((await openState(memoryFile(bytes), "flow")).tensors.values());
    });
    expect(refused).toBeGreaterThan(MUTATIONS / 10);
  });

  it("torch: pickles in an undamaged archive", async () => {
    const [original, storage] = [
      torchFile({ w: { shape: [2, 3], storage: floats("s", new Float32Array(6)) }, epoch: 1 }),
      new Uint8Array(24),
    ];
    const entry = (await readZip(memoryFile(original))).get("archive/data.pkl");
    const start = (await entry?.dataOffset()) ?? 0;
    const pickle = original.slice(start, start + (entry?.size ?? 0));
    await fuzz(new Uint8Array(pickle), 7, async (bytes) => {
      const archive = zipFile([
        ["a/data.pkl", bytes],
        ["a/data/s", storage],
      ]);
      await drain((await openState(memoryFile(archive), "flow")).tensors.values());
    });
  });

  it("torch: voices", async () => {
    await fuzz(bytesOf("spk2info.pt"), 2, async (bytes) => {
      for (const voice of (await speakersIn(await openTorch(memoryFile(bytes)))).voices.values())
        await drain(voice.values());
    });
  });

  it.each([
    ["speech tokenizer", "speech_tokenizer_v2.onnx", speechTokenizerTensors, 3],
    ["speaker encoder", "campplus.onnx", speakerTensors, 4],
  ] as const)("ONNX: %s", async (_, path, tensors, seed) => {
    await fuzz(bytesOf(path), seed, async (bytes) => {
      const graph = await openOnnx(memoryFolder(new Map([[path, bytes]])), path);
      await drain((await tensors(graph)).tensors.values());
    });
  });

  it("yaml", async () => {
    await fuzz(bytesOf("cosyvoice2.yaml"), 5, async (bytes) => {
      parseHyperpyyaml(new TextDecoder().decode(bytes), "yaml");
    });
  });

  it("safetensors", async () => {
    const output = memoryOutput();
    await convert(memoryFolder(release), output, { version: "0", createHasher: sha256 });
    const file = output.files.get("voices.safetensors") as Uint8Array;
    const refused = await fuzz(file, 6, async (bytes) => {
      await drain((await openSafetensors(memoryFile(bytes))).tensors.values());
    });
    expect(refused).toBeGreaterThan(MUTATIONS / 10);
  });

  it("a whole model folder", async () => {
    const output = memoryOutput();
    await convert(memoryFolder(release), output, { version: "0", createHasher: sha256, components: ["lm", "vocoder"] });
    for (const [seed, path] of ["config.json", "manifest.json", "vocoder.safetensors"].entries()) {
      await fuzz(output.files.get(path) as Uint8Array, 10 + seed, async (bytes) => {
        const model = await openModel(memoryFolder(new Map([...output.files, [path, bytes]])));
        if (path === "vocoder.safetensors")
          for (const name of model.tensors("vocoder").names()) await model.tensors("vocoder").read(name);
        for (const voice of model.voices) await model.voice(voice);
      });
    }
  });

  it("an official release, one file of it at a time", async () => {
    // Parts that agree with each other are opened together, so this reaches the config and the tables.
    const small = new Map([...release].filter(([path]) => !/llm|flow|onnx/.test(path)));
    for (const [seed, path] of ["cosyvoice2.yaml", "hift.pt"].entries()) {
      await fuzz(bytesOf(path), 20 + seed, async (bytes) => {
        const model = await openModel(memoryFolder(new Map([...small, [path, bytes]])));
        const source = model.tensors("vocoder");
        for (const name of source.names()) await source.read(name);
      });
    }
  });
});
