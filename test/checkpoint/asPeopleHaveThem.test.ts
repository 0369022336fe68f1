/** Checkpoints as they lie on people's disks: under wrappers and keys of trainers, under other names, or not downloaded at all. */
import { describe, expect, it } from "vitest";
import { convert } from "../../src/checkpoint/convert.js";
import { kindOf } from "../../src/checkpoint/fileKind.js";
import { type Model, openModel } from "../../src/checkpoint/model.js";
import { safetensorsHeader } from "../../src/checkpoint/safetensors.js";
import { checkSpeakable } from "../../src/speakable.js";
import { voiceOf } from "../../src/voice.js";
import { weightTable } from "../../weights/all.js";
import { memoryFolder, memoryOutput, sha256 } from "../helpers/memoryFiles.js";
import { TINY, tinyRelease, valuesOf } from "../helpers/tinyRelease.js";
import { floats, type Saved, torchFile, zipFile } from "../helpers/torchFile.js";

type Files = Map<string, Uint8Array | string>;

const LFS = `version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize 2023316821\n`;
const flow = TINY.flow as NonNullable<typeof TINY.flow>;

const open = (files: Files) => openModel(memoryFolder(files));

/** A converted release: its files and the warnings. */
async function converted(files: Files, check?: (model: Model) => Promise<void>) {
  const [output, warnings] = [memoryOutput(), [] as string[]];
  const onWarning = (warning: string) => void warnings.push(warning);
  const manifest = await convert(memoryFolder(files), output, {
    version: "0",
    createHasher: sha256,
    onWarning,
    ...(check && { check }),
  });
  return { manifest, warnings, folder: memoryFolder(output.files, "model") };
}

const product = (shape: readonly number[]) => shape.reduce((all, size) => all * size, 1);

/** The state dict of a component; values follow from the names. */
function state(component: "lm" | "flow", rename = (name: string) => name, scale = 1): Record<string, Saved> {
  const entries = [...weightTable(component, TINY)].map(([name, shape]): [string, Saved] => {
    const values = valuesOf(name, product(shape)).map((value) => scale * value);
    return [rename(name), { shape, storage: floats(`${name} ${scale}`, values) }];
  });
  return Object.fromEntries(entries);
}

const prefixed = (front: string) => (name: string) => front + name;
const FIRST = { lm: "llm.model.model.norm.weight", flow: "encoder.after_norm.bias" } as const;

/** Expects the model to hold the values of `state`. */
async function expectState(model: Model, component: "lm" | "flow"): Promise<void> {
  const source = model.tensors(component);
  expect(new Set(source.names())).toEqual(new Set(weightTable(component, TINY).keys()));
  const values = await source.read(FIRST[component]);
  expect(values).toEqual(valuesOf(FIRST[component], values.length));
}

describe("weights", () => {
  const size: Saved = { code: "ctorch\nSize\n(K\x02K\x03t\x85R" };
  const namespace: Saved = { code: "cargparse\nNamespace\n)\x81}X\x01\x00\x00\x00aK\x01sb" };
  const scalar: Saved = {
    code: "cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00f4K\x00K\x01\x87R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbc_codecs\nencode\nX\x05\x00\x00\x00\x00\x00\xc2\x80?X\x06\x00\x00\x00latin1\x86R\x86R",
  };
  const others: Saved = {
    code: "}(K\x01K\x02\x86K\x03X\x01\x00\x00\x00sc__builtin__\nset\n](K\x01K\x02e\x85RX\x01\x00\x00\x00ic__builtin__\nlong\nX\x01\x00\x00\x00n\x8a\x0d\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x10u",
  };
  const optimizer: Saved = {
    state: { "0": { exp_avg: { shape: [2], storage: floats("avg", new Float32Array(2)) }, step: 3 } },
    param_groups: [{ lr: 1e-5, betas: [0.9, 0.999] }],
  };
  const beside = { optimizer, epoch: 3, size, args: namespace, loss: scalar, others };

  it.each<[string, Saved]>([
    ["of data-parallel training", state("lm", prefixed("module."))],
    ["compiled", state("lm", prefixed("_orig_mod."))],
    ["compiled and parallel", state("lm", prefixed("module._orig_mod."))],
    ["of a merged adapter", state("lm", prefixed("base_model.model."))],
    ["of an adapter inside", state("lm", (name) => name.replace(/^llm\.model\./, "llm.model.base_model.model."))],
    ["sharded inside", state("lm", (name) => name.replace(/^llm\.model\./, "llm.model._fsdp_wrapped_module."))],
    ["under model, beside an optimizer", { model: state("lm"), ...beside }],
    ["under state_dict, in a trainer's module", { state_dict: state("lm", prefixed("model.")), ...beside }],
    ["under two keys", { checkpoint: { model: state("lm", prefixed("module.")) }, ...beside }],
    [
      "of DeepSpeed",
      { module: state("lm"), param_shapes: [{ a: size }], ds_config: {}, ds_version: "0.15", ...beside },
    ],
    ["an average alone", { ema: state("lm") }],
    ["with the trainer's counters", { ...state("lm"), epoch: 3, size, args: namespace }],
  ])("%s are read", async (_, saved) => {
    const model = await open(tinyRelease().set("llm.pt", torchFile(saved)));
    await expectState(model, "lm");
    expect(model.warnings).toEqual([]);
  });

  it("of the flow are read under a wrapper too", async () => {
    await expectState(await open(tinyRelease().set("flow.pt", torchFile(state("flow", prefixed("module."))))), "flow");
  });

  it("that were trained go before their average, with a warning", async () => {
    const saved = { ema: state("lm", undefined, 0.5), model: state("lm") };
    const model = await open(tinyRelease().set("llm.pt", torchFile(saved)));
    await expectState(model, "lm");
    expect(model.warnings).toEqual([
      'folder/llm.pt: it holds a language model more than once; that of "model" is read, that of "ema" is not',
    ]);
  });

  it("of a safetensors file are read under the other name", async () => {
    await expectState(await open(tinyRelease().set("llm.pt", safetensors("lm"))), "lm");
  });

  const lora: Saved = { shape: [1], storage: floats("lora", new Float32Array(1)) };
  const empty = Object.fromEntries(
    Object.keys(state("lm")).map((name) => [name, { shape: [0], storage: floats(name, new Float32Array()) }]),
  );
  it.each<[string, "llm.pt" | "flow.pt", Uint8Array | string, RegExp]>([
    ["a Git LFS pointer", "llm.pt", LFS, /llm\.pt: a Git LFS pointer, not the file itself; run git lfs pull/],
    ["a page", "llm.pt", "\n<!DOCTYPE html><html>", /: an HTML page, not the file itself; download the file again/],
    ["a server's message", "llm.pt", '{"error":"Entry not found"}', /: text that begins .*Entry not found/],
    ["XML", "llm.pt", "<?xml version='1.0'?><Error/>", /: XML, as servers send errors; download/],
    ["nothing", "llm.pt", "", /llm\.pt: an empty file; download the file again/],
    ["zeros", "llm.pt", new Uint8Array(4096), /: nothing but zeros, as a download that broke off leaves/],
    [
      "an old file",
      "llm.pt",
      bytes("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."),
      /before PyTorch 1\.6.*save it again$/,
    ],
    [
      "a tar archive",
      "llm.pt",
      bytes("x".padEnd(257, "\0"), "ustar", "\0".repeat(300)),
      /: a tar archive, .*unpack it$/,
    ],
    [
      "another ZIP archive",
      "llm.pt",
      zipFile([["a/b.txt", new Uint8Array(1)]]),
      /not one of torch\.save .*"a\/b\.txt"/,
    ],
    [
      "TorchScript",
      "llm.pt",
      zipFile(["data.pkl", "constants.pkl"].map((name) => [`a/${name}`, bytes("N.")] as const)),
      /: a TorchScript module, not a state dict/,
    ],
    [
      "shards of DeepSpeed",
      "llm.pt",
      torchFile({ module: empty, ds_version: "0.15" }),
      /DeepSpeed .*zero_to_fp32\.py$/,
    ],
    ["an optimizer of DeepSpeed", "llm.pt", torchFile({ optimizer, ds_config: {} }), /DeepSpeed .*zero_to_fp32\.py$/],
    [
      "an adapter",
      "llm.pt",
      torchFile({ ...state("lm"), "base_model.model.llm.x.lora_A.default.weight": lora }),
      /: an adapter that is not merged .*merge_and_unload\(\)/,
    ],
    ["a flow as language model", "llm.pt", torchFile(state("flow")), /it holds a flow, not a language model/],
    ["a language model as flow", "flow.pt", torchFile(state("lm")), /it holds a language model, not a flow/],
    [
      "a text model",
      "llm.pt",
      torchFile(state("lm", (name) => name.replace(/^llm\.model\./, "").replace(/^(llm_|speech_)/, "x."))),
      /it holds a text model alone/,
    ],
    [
      "a file that would run something",
      "llm.pt",
      torchFile({ ...state("lm"), x: { code: "cposix\nsystem\nX\x01\x00\x00\x00a\x85R" } }),
      /posix\.system, and only tensors are allowed; the file may be harmful; .*torch\.save\(model\.state_dict\(\), \.\.\.\)$/,
    ],
  ])("that are none are called what they are: %s", async (_, path, content, message) => {
    const files = tinyRelease().set(path, content);
    await expect(open(files)).rejects.toThrow(message);
    await expect(open(files)).rejects.not.toThrow("\n");
  });

  it("that lie there under another name are named", async () => {
    const files = tinyRelease();
    files.delete("llm.pt");
    files.set("epoch_5_whole.pt", torchFile({ ...state("lm"), epoch: 5 })).set("notes.pt", torchFile({ epoch: 1 }));
    await expect(converted(files)).rejects.toThrow(
      /^folder: llm\.pt is missing; "epoch_5_whole\.pt" holds it: name it llm\.pt$/,
    );
    files.set("llm.safetensors", safetensors("lm"));
    await expect(converted(files)).rejects.toThrow(/"epoch_5_whole\.pt", "llm\.safetensors" hold one/);
    files.delete("epoch_5_whole.pt");
    files.delete("llm.safetensors");
    files.set("adapter_model.bin", torchFile({ "base_model.model.x.lora_B.weight": lora }));
    await expect(converted(files)).rejects.toThrow(/llm\.pt is missing; .*adapter_model\.bin: an adapter/);
    files.delete("adapter_model.bin");
    await expect(converted(files)).rejects.toThrow(/llm\.pt is missing; the official release/);
  });
});

describe("other files", () => {
  it.each(["cosyvoice2.yaml", "campplus.onnx", "spk2info.pt", "CosyVoice-BlankEN/config.json"])(
    "%s that was not downloaded is called so",
    async (path) => {
      await expect(open(tinyRelease().set(path, LFS))).rejects.toThrow(/: a Git LFS pointer, .*run git lfs pull/);
    },
  );

  it("of a converted model that were not downloaded are called so", async () => {
    const output = memoryOutput();
    await convert(memoryFolder(tinyRelease()), output, { version: "0", createHasher: sha256 });
    for (const path of ["lm.safetensors", "config.json", "manifest.json", "voices.safetensors"]) {
      const files = new Map<string, Uint8Array | string>(output.files).set(path, LFS);
      await expect(open(files)).rejects.toThrow(new RegExp(`${path}: a Git LFS pointer`));
    }
  });

  it.each<[string, Uint8Array, string | undefined]>([
    ["a gzip file", bytes("\x1f\x8b\x08\0"), "a gzip file"],
    ["UTF-16", bytes("\xff\xfea\0"), "UTF-16 text"],
    ["a letter that is cut", new TextEncoder().encode("好".repeat(200)), 'text that begins "好好'],
    ["ONNX", bytes("\x08\x08\x12\x07pytorch"), undefined],
    ["noise", Uint8Array.from({ length: 600 }, (_, i) => (i * 37 + 200) & 255), undefined],
  ])("are told by their first bytes: %s", (_, head, what) => {
    const kind = kindOf(head)?.what;
    if (what === undefined) expect(kind).toBeUndefined();
    else expect(kind).toContain(what);
  });
});

describe("the yaml", () => {
  const text = String(tinyRelease().get("cosyvoice2.yaml"));
  const first = text.replace("Qwen2LM", "TransformerLM").replace("CausalMaskedDiffWithXvec", "MaskedDiffWithXvec");
  const third = text.replace("Qwen2LM", "CosyVoice3LM").replace("CausalMaskedDiffWithXvec", "CausalMaskedDiffWithDiT");
  const withYamls = (yamls: Readonly<Record<string, string>>): Files => {
    const files: Files = tinyRelease();
    files.delete("cosyvoice2.yaml");
    return new Map([...files, ...Object.entries(yamls)]);
  };

  it.each<[string, Record<string, string>, string]>([
    ["the first releases' name", { "cosyvoice.yaml": text }, "cosyvoice.yaml"],
    ["another generation's name", { "cosyvoice3.yaml": text, "cosyvoice.yaml": first }, "cosyvoice3.yaml"],
    ["any name", { "conf.yml": text, "a.yaml": "a: [1", "b.yaml": "x: 1" }, "conf.yml"],
    [
      "beside others",
      { "cosyvoice.yaml": first, "cosyvoice2.yaml": text, "cosyvoice3.yaml": third },
      "cosyvoice2.yaml",
    ],
  ])("is known by its content: %s", async (_, yamls, path) => {
    const files = withYamls(yamls);
    expect((await open(files)).config).toEqual(TINY);
    const { manifest } = await converted(files);
    expect(Object.keys(manifest.source).filter((name) => /\.ya?ml$/.test(name))).toEqual([path]);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      "CosyVoice",
      { "cosyvoice.yaml": first },
      /cosyvoice\.yaml: it describes CosyVoice \(1\), by its TransformerLM; only/,
    ],
    [
      "CosyVoice3",
      { "cosyvoice2.yaml": third },
      /cosyvoice2\.yaml: it describes CosyVoice3, by its CosyVoice3LM; only/,
    ],
    ["none", {}, /cosyvoice2\.yaml is missing/],
    ["who knows", { "cosyvoice.yaml": "sample_rate: 1" }, /does not say which CosyVoice it describes/],
  ])("of %s is refused by what it is", async (_, yamls, message) => {
    await expect(open(withYamls(yamls))).rejects.toThrow(message);
  });
});

describe("speakers", () => {
  const vector = valuesOf("speaker", 7);
  const tensor = (key: string, shape: readonly number[]): Saved => ({ shape, storage: floats(key, vector) });
  const read = async (speakers: Saved, path = "spk2info.pt") => {
    const files: Files = tinyRelease();
    files.delete("spk2info.pt");
    const { folder, warnings } = await converted(files.set(path, torchFile(speakers)));
    const model = await openModel(folder);
    const voices = await Promise.all(
      model.voices.map(async (name) => voiceOf(name, await model.voice(name), flow, "model")),
    );
    return { voices, warnings };
  };

  /** numpy.array(vector, float32), shape [1, 7] */
  const array: Saved = {
    code: `cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85c_codecs\nencode\nX\x01\x00\x00\x00bX\x06\x00\x00\x00latin1\x86R\x87R(K\x01K\x01K\x07\x86cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89B\x1c\x00\x00\x00${Buffer.from(vector.buffer).toString("latin1")}tb`,
  };

  it.each<[string, Saved, string?]>([
    ["a vector each", { "1": tensor("v", [7]) }],
    ["a list each", { "1": [...vector] }],
    ["a list in a dict", { "1": { embedding: [...vector] } }],
    ["a list of a list", { "1": { embedding: [[...vector]] } }],
    ["an array of NumPy", { "1": { embedding: array } }],
    ["a file of the recipe's name", { "1": [...vector] }, "spk2embedding.pt"],
  ])("are read from %s", async (_, speakers, path) => {
    const { voices, warnings } = await read(speakers, path);
    expect(voices).toEqual([{ name: "1", embedding: vector }]);
    expect(warnings).toEqual([]);
  });

  it("of both files are known, and the release's goes first", async () => {
    const files = tinyRelease().set("spk2embedding.pt", torchFile({ new: [...vector], 中文女: [...vector] }));
    const model = await open(files);
    expect(model.voices).toEqual(["a/b", "中文女", "new"]);
    expect((await model.voice("中文女")).embedding?.data).not.toEqual(vector);
  });

  it("that are damaged cost nobody else the voice", async () => {
    const nan = { shape: [7], storage: floats("nan", new Float32Array(7).fill(Number.NaN)) };
    const { voices, warnings } = await read({
      list: [1, 2, 3],
      nothing: null,
      good: { embedding: tensor("v", [1, 7]), note: "x" },
      hole: { embedding: nan },
      none: {},
      path: { "a/b": tensor("w", [7]) },
      outside: { embedding: { shape: [9], storage: floats("v", vector) } },
    });
    expect(voices.map(({ name }) => name)).toEqual(["good"]);
    expect(warnings.length).toBe(6);
    for (const name of ["list", "nothing", "hole", "none", "path", "outside"]) {
      expect(
        warnings.filter((warning) => warning.includes(name) && warning.endsWith("; this voice is left out")),
      ).toHaveLength(1);
    }
  });

  it("that are damaged are left out of a release that is opened, too, and say why when one is asked for", async () => {
    const files = tinyRelease().set("spk2info.pt", torchFile({ bad: [1], good: { embedding: tensor("v", [1, 7]) } }));
    const model = await open(files);
    expect(model.voices).toEqual(["good"]);
    expect(model.damaged.get("bad")?.message).toMatch(/voice "bad": embedding has 1 values, the flow takes 7/);
    expect(model.warnings).toHaveLength(1);
  });

  it("that are all damaged leave a model without speakers, and a line that says so", async () => {
    const { voices, warnings } = await read({ a: { embedding: [1] }, b: { embedding: [2] } });
    expect(voices).toEqual([]);
    expect(warnings.at(-1)).toBe("folder: no voice is left, so no trained speakers");
  });

  it("keep their words that are written as text", async () => {
    const { voices } = await read({
      anna: {
        embedding: tensor("v", [1, 7]),
        prompt_text: "Grüß Gott, 你好 👋",
        flow_prompt_speech_token: {
          shape: [1, 1],
          storage: { key: "t", type: "IntStorage", count: 1, bytes: new Uint8Array(4) },
        },
        prompt_speech_feat: { shape: [1, 2, 5], storage: floats("m", new Float32Array(10)) },
      },
    });
    expect(voices[0]?.prompt?.transcript).toBe("Grüß Gott, 你好 👋");
    const alone = await read({ anna: { embedding: tensor("v", [1, 7]), prompt_text: "Ah." } });
    expect([alone.voices.length, alone.warnings]).toEqual([
      1,
      ['folder: voice "anna" has words and no recording, so they are not used'],
    ]);
  });
});

describe("what is missing", () => {
  it("is said, with what it will mean", async () => {
    const files: Files = tinyRelease();
    const tokenizer = files.get("speech_tokenizer_v2.onnx") ?? "";
    for (const path of ["spk2info.pt", "speech_tokenizer_v2.onnx", "campplus.onnx"]) files.delete(path);
    const { warnings } = await converted(files.set("speech_tokenizer_v2.batch.onnx", tokenizer));
    expect(warnings).toEqual([
      'folder: no speech_tokenizer_v2.onnx, so no speech tokenizer: recordings cannot be used (--prompt-wav, vc, voice add); "speech_tokenizer_v2.batch.onnx" holds it: name it speech_tokenizer_v2.onnx',
      "folder: no campplus.onnx, so no speaker encoder: no voice can be made of a recording (--prompt-wav, voice add)",
      "folder: no spk2info.pt or spk2embedding.pt with a speaker, so no trained speakers: speak needs a voice file with --voice",
    ]);
    expect((await converted(tinyRelease())).warnings).toEqual([]);
  });
});

describe("what speaking would refuse, converting refuses", () => {
  const BLANK = "CosyVoice-BlankEN/config.json";
  const blank = (change: object) => JSON.stringify({ ...JSON.parse(String(tinyRelease().get(BLANK))), ...change });
  it.each<[string, string, string, RegExp]>([
    ["a broken vocabulary", "CosyVoice-BlankEN/vocab.json", "{", /^folder: vocab\.json: not JSON/],
    ["one of a few letters", "CosyVoice-BlankEN/vocab.json", '{"a":0}', /^folder: vocab\.json: the byte token/],
    [
      "heads that do not divide",
      BLANK,
      blank({ num_attention_heads: 5 }),
      /num_attention_heads is 5, expected a divisor/,
    ],
    [
      "shared heads that do not",
      BLANK,
      blank({ num_key_value_heads: 2 }),
      /num_key_value_heads is 2, expected a divisor/,
    ],
    ["heads that are too wide", BLANK, blank({ head_dim: 4 }), /tensors do not fit/],
  ])("%s", async (_, path, content, message) => {
    const files = tinyRelease().set(path, content);
    await expect(converted(files, checkSpeakable)).rejects.toThrow(message);
    await expect(converted(files, checkSpeakable)).rejects.not.toThrow("\n");
  });
});

function bytes(...letters: readonly string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(letters.join(""), "latin1"));
}

function safetensors(component: "lm" | "flow"): Uint8Array {
  const table = [...weightTable(component, TINY)];
  const header = safetensorsHeader(
    table.map(([name, shape]) => ({ name, shape, type: "F32" })),
    {},
  );
  return Buffer.concat([
    header,
    ...table.map(([name, shape]) => new Uint8Array(valuesOf(name, product(shape)).buffer)),
  ]);
}
