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
import { openSafetensors, safetensorsHeader } from "../../src/checkpoint/safetensors.js";
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

  // OrderedDict([("module.w", tensor), ...]) under a key, an array and a scalar of NumPy, a size, settings, an optimizer.
  const dtype = "cnumpy\ndtype\nX\x02\0\0\0f4\x89\x88\x87R(K\x03X\x01\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb";
  const encoded = (text: string) =>
    `c_codecs\nencode\nX${String.fromCharCode(text.length)}\0\0\0${text}X\x06\0\0\0latin1\x86R`;
  const array = `cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85${encoded("b")}\x87R(K\x01K\x01K\x02\x86${dtype}\x89${encoded("abcdefgh")}tb`;
  const scalar = `cnumpy.core.multiarray\nscalar\n${dtype}${encoded("abcd")}\x86R`;
  const weights = { shape: [2, 3], storage: floats("s", new Float32Array(6)) };

  it("torch: what a trainer saves", async () => {
    const saved: Saved = {
      model: { "module.input_embedding.weight": weights, "module.b": { code: array } },
      ema: { "input_embedding.weight": weights },
      optimizer: { state: { "0": { step: 1, exp_avg: weights } }, param_groups: [{ lr: 0.1 }] },
      size: { code: "ctorch\nSize\n(K\x02K\x03t\x85R" },
      args: { code: "cargparse\nNamespace\n)\x81}X\x01\0\0\0aK\x01sb" },
      loss: { code: scalar },
      set: { code: "\x8f(K\x01K\x02\x90" },
    };
    const refused = await fuzz(torchFile(saved), 31, async (bytes) => {
      await drain((await openState(memoryFile(bytes), "flow")).tensors.values());
    });
    expect(refused).toBeGreaterThan(MUTATIONS / 10);
  });

  it("torch: speakers as other tools write them", async () => {
    const speakers: Saved = {
      "1": [0.5, 1, 2],
      "2": { code: array },
      "3": { embedding: [[1, 2, 3]], prompt_text: "Grüß Gott." },
      "4": { embedding: [{ code: scalar }, 1] },
    };
    await fuzz(torchFile(speakers), 32, async (bytes) => {
      for (const voice of (await speakersIn(await openTorch(memoryFile(bytes)))).voices.values())
        await drain(voice.values());
    });
  });

  it("safetensors under the name of a torch file", async () => {
    const header = safetensorsHeader([{ name: "x.input_embedding.weight", shape: [2], type: "F32" }], {});
    await fuzz(Buffer.concat([header, new Uint8Array(8)]), 33, async (bytes) => {
      await drain((await openState(memoryFile(bytes), "flow")).tensors.values());
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
    for (const [seed, path] of ["cosyvoice2.yaml", "hift.pt", "spk2info.pt"].entries()) {
      await fuzz(bytesOf(path), 20 + seed, async (bytes) => {
        const model = await openModel(memoryFolder(new Map([...small, [path, bytes]])));
        const source = model.tensors("vocoder");
        for (const name of source.names()) await source.read(name);
      });
    }
  });
});
