import { describe, expect, it } from "vitest";
import { convert } from "../../src/checkpoint/convert.js";
import { halfToNumber, numberToHalf, toHalf } from "../../src/checkpoint/dtype.js";
import { type Model, openModel } from "../../src/checkpoint/model.js";
import type { Manifest } from "../../src/checkpoint/modelFolder.js";
import { CancelledError, FileError, InputError } from "../../src/errors.js";
import { mayBeHalf, weightTable } from "../../weights/all.js";
import { memoryFolder, memoryOutput, sha256 } from "../helpers/memoryFiles.js";
import { TINY, tinyRelease, valuesOf } from "../helpers/tinyRelease.js";
import { floats, torchFile } from "../helpers/torchFile.js";

const options = { version: "1.2.3", createHasher: sha256 };

async function converted(dtype: "f32" | "f16" = "f32", files = tinyRelease()) {
  const output = memoryOutput();
  const manifest = await convert(memoryFolder(files), output, { ...options, dtype });
  return { output, manifest, folder: memoryFolder(output.files, "model") };
}

/** Every tensor of a model as floats, by "component name". */
async function allTensors(model: Model): Promise<Map<string, Float32Array>> {
  const out = new Map<string, Float32Array>();
  for (const component of model.components) {
    const source = model.tensors(component);
    for (const name of source.names()) out.set(`${component} ${name}`, await source.read(name));
  }
  return out;
}

/** w = g·v/‖v‖ of one output channel at a time, as the paper of weight norm writes it. */
function folded(name: string, shape: readonly number[]): Float32Array {
  const [n = 0] = shape;
  const row = shape.slice(1).reduce((a, b) => a * b, 1);
  const [g, v] = [valuesOf(`${name} g`, n), valuesOf(`${name} v`, n * row)];
  return v.map((value, i) => {
    const channel = Math.floor(i / row);
    return ((g[channel] ?? 0) * value) / Math.hypot(...v.subarray(channel * row, (channel + 1) * row));
  });
}

describe("official release", () => {
  it("gives the config that made it", async () => {
    const model = await openModel(memoryFolder(tinyRelease()));
    expect(model.config).toEqual(TINY);
    expect(model.dtype).toBe("f32");
  });

  it("takes sampling, the bounds of the length and what it can say from the yaml", async () => {
    const files = tinyRelease();
    const own = String(files.get("cosyvoice2.yaml"))
      .replace(/top_p: [\d.]+/, "top_p: 0.5")
      .replace(/tau_r: [\d.]+/, "tau_r: 0.3")
      .replace(/^( *)mix_ratio:/m, "$1min_token_text_ratio: 1\n$1max_token_text_ratio: 12\n$1mix_ratio:")
      .replace(
        /^sample_rate:/m,
        `segment_length: 7\nsegment_limit: 40\nspeaks:\n    characters: " ab"\n    languages: ["en"]\n    modes: [sft]\nsample_rate:`,
      );
    const { config } = await openModel(memoryFolder(files.set("cosyvoice2.yaml", own)));
    expect(config.lm?.sampling).toEqual({ topP: 0.5, topK: 25, window: 10, tauR: 0.3 });
    expect([config.lm?.minRatio, config.lm?.maxRatio, config.segmentLength]).toEqual([1, 12, 7]);
    expect(config.segmentLimit).toBe(40);
    expect(config.speaks).toEqual({ characters: " ab", languages: ["en"], modes: ["sft"] });
  });

  it.each([
    { weightNorm: "legacy", gan: false },
    { weightNorm: "parametrized", gan: true },
  ] as const)("gives every tensor: $weightNorm weight norm, gan $gan", async (layout) => {
    const model = await openModel(memoryFolder(tinyRelease(layout)));
    for (const component of model.components) {
      const source = model.tensors(component);
      const table = weightTable(component, TINY);
      expect(source.names().length).toBe(table.size);
      for (const [name, shape] of table) {
        const values = await source.read(name);
        const plain = valuesOf(name, values.length);
        const expected = component === "vocoder" && values[0] !== plain[0] ? folded(name, shape) : plain;
        const worst = values.reduce(
          (most, value, i) => Math.max(most, Math.abs(value - (expected[i] ?? Number.NaN))),
          0,
        );
        expect(worst).toBeLessThan(1e-6);
      }
    }
  });

  it("opens with nothing but the tokenizer", async () => {
    const files = new Map([...tinyRelease()].filter(([path]) => path.startsWith("CosyVoice-BlankEN/")));
    const model = await openModel(memoryFolder(files));
    expect(model.components).toEqual([]);
    expect((await model.tokenizerFiles()).merges).toBe("a b\n");
    expect(() => model.tensors("lm")).toThrow(/the model has no lm/);
  });
});

describe("convert", () => {
  it("keeps every value in f32", async () => {
    const { folder } = await converted();
    const [official, model] = [await openModel(memoryFolder(tinyRelease())), await openModel(folder)];
    expect(model.config).toEqual(official.config);
    expect(await allTensors(model)).toEqual(await allTensors(official));
    expect(model.voices).toEqual(["a/b", "中文女"]);
    expect(await model.voice("中文女")).toEqual(await official.voice("中文女"));
    expect((await model.voice("中文女")).llm_prompt_speech_token?.data).toEqual(Int32Array.of(5, 0, 728));
    expect(await model.tokenizerFiles()).toEqual(await official.tokenizerFiles());
  });

  it("rounds matrices to the nearest half in f16, and only those", async () => {
    const { folder } = await converted("f16");
    const [official, model] = [await openModel(memoryFolder(tinyRelease())), await openModel(folder)];
    expect(model.dtype).toBe("f16");
    for (const component of model.components) {
      const [source, whole] = [model.tensors(component), official.tensors(component)];
      for (const name of source.names()) {
        const half = mayBeHalf(component, name, source.info(name).shape);
        expect(source.info(name).dtype).toBe(half ? "F16" : "F32");
        const expected = await whole.read(name);
        expect(await source.read(name)).toEqual(half ? expected.map((x) => halfToNumber(numberToHalf(x))) : expected);
      }
    }
  });

  it("keeps the halves of a flow that was written as halves, and reads them back as the same floats", async () => {
    const table = [...weightTable("flow", TINY)];
    const state = table.map(([name, shape]) => {
      const halves = toHalf(
        valuesOf(
          name,
          shape.reduce((a, b) => a * b, 1),
        ),
      );
      const bytes = new Uint8Array(halves.buffer);
      return [name, { shape, storage: { key: name, type: "HalfStorage", count: halves.length, bytes } }] as const;
    });
    const files = tinyRelease().set("flow.pt", torchFile(Object.fromEntries(state), "flow"));
    const [official, { folder, manifest }] = [await openModel(memoryFolder(files)), await converted("f16", files)];
    const [source, whole] = [(await openModel(folder)).tensors("flow"), official.tensors("flow")];
    for (const [name] of table) {
      expect(source.info(name).dtype).toBe("F16");
      expect(await source.read(name)).toEqual(await whole.read(name));
    }
    const values = table.reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(manifest.files["flow.safetensors"]?.bytes).toBeLessThan(2 * values + 200 * table.length);
  });

  it("gives the same halves from a release, from a model folder of floats and from one of halves", async () => {
    const folders = [memoryFolder(tinyRelease()), (await converted("f32")).folder, (await converted("f16")).folder];
    const name = "llm.model.model.layers.1.mlp.up_proj.weight";
    const bytes = await Promise.all(
      folders.map(async (folder) =>
        (await openModel(folder, { dtype: "f16" })).tensors("lm").readBytes(name, "f16", 3, 5),
      ),
    );
    expect(bytes[0]?.length).toBe(10);
    expect(bytes[1]).toEqual(bytes[0]);
    expect(bytes[2]).toEqual(bytes[0]);
  });

  it("writes a manifest that describes the files", async () => {
    const { output, manifest } = await converted();
    expect(output.state).toBe("committed");
    expect([...output.files.keys()].at(-1)).toBe("manifest.json");
    expect(JSON.parse(new TextDecoder().decode(output.files.get("manifest.json"))) as Manifest).toEqual(manifest);
    expect(Object.keys(manifest.files).sort()).toEqual(
      [...output.files.keys()].filter((path) => path !== "manifest.json").sort(),
    );
    for (const [path, { bytes, sha256: digest }] of Object.entries(manifest.files)) {
      const hasher = sha256();
      hasher.update(output.files.get(path) ?? new Uint8Array());
      expect([output.files.get(path)?.length, hasher.digest()]).toEqual([bytes, digest]);
    }
    expect(Object.keys(manifest.source).sort()).toEqual([...tinyRelease().keys()].sort());
  });

  it("converts only the components that were asked for", async () => {
    const output = memoryOutput();
    const files = tinyRelease();
    files.delete("hift.pt");
    await convert(memoryFolder(files), output, { ...options, components: ["flow"] });
    const model = await openModel(memoryFolder(output.files));
    expect(model.components).toEqual(["flow"]);
    expect(model.config.lm).toBeUndefined();
    await expect(convert(memoryFolder(files), memoryOutput(), options)).rejects.toThrow(/hift\.pt is missing/);
  });

  it("stops when asked to and leaves nothing", async () => {
    const output = memoryOutput();
    const controller = new AbortController();
    const onProgress = ({ file }: { file: string }) => file === "flow.safetensors" && controller.abort();
    const promise = convert(memoryFolder(tinyRelease()), output, { ...options, signal: controller.signal, onProgress });
    await expect(promise).rejects.toThrow(CancelledError);
    expect([output.state, output.files.size]).toEqual(["discarded", 0]);
  });

  it("names the tensor and element of a NaN, and of a value too large for a half", async () => {
    for (const [component, file, damaged, value, dtype, message] of [
      [
        "flow",
        "flow.pt",
        "encoder_proj.weight",
        Number.NaN,
        "f32",
        /flow\.pt: encoder_proj\.weight: element 3 of .* is NaN/,
      ],
      [
        "lm",
        "llm.pt",
        "llm_decoder.weight",
        7e4,
        "f16",
        /llm\.pt: llm_decoder\.weight: element 3 is 70000, a half holds/,
      ],
    ] as const) {
      const files = tinyRelease();
      const table = weightTable(component, TINY);
      const state = Object.fromEntries(
        [...table].map(([name, shape]) => {
          const values = valuesOf(
            name,
            shape.reduce((a, b) => a * b, 1),
          );
          if (name === damaged) values[3] = value;
          return [name, { shape, storage: floats(name, values) }];
        }),
      );
      files.set(file, torchFile(state));
      const output = memoryOutput();
      await expect(convert(memoryFolder(files), output, { ...options, dtype })).rejects.toThrow(message);
      expect(output.state).toBe("discarded");
    }
  });

  it("reports all wrong tensors together", async () => {
    const files = tinyRelease();
    const table = new Map(weightTable("flow", TINY));
    table.delete("encoder.after_norm.bias");
    table.set("encoder.up_layer.conv.weight", [12, 12, 3]);
    table.set("surplus", [1]);
    const state = [...table].map(
      ([name, shape]) =>
        [
          name,
          {
            shape,
            storage: floats(
              name,
              valuesOf(
                name,
                shape.reduce((a, b) => a * b, 1),
              ),
            ),
          },
        ] as const,
    );
    files.set("flow.pt", torchFile(Object.fromEntries(state)));
    const error = await openModel(memoryFolder(files)).catch((e: unknown) => e as Error);
    expect(error).toBeInstanceOf(FileError);
    expect((error as Error).message).toMatch(/3 tensors do not fit/);
    for (const name of [
      "after_norm.bias is missing",
      "up_layer.conv.weight is [12, 12, 3], expected [12, 12, 5]",
      "surplus is not a tensor",
    ]) {
      expect((error as Error).message).toContain(name);
    }
  });
});

describe("model folder", () => {
  it("is refused without its manifest, or with a file of another size", async () => {
    const { output } = await converted();
    const cut = new Map(output.files);
    cut.set("lm.safetensors", (output.files.get("lm.safetensors") as Uint8Array).slice(0, -4));
    await expect(openModel(memoryFolder(cut))).rejects.toThrow(/lm\.safetensors: \d+ bytes, manifest\.json says/);
    const unfinished = new Map(output.files);
    unfinished.delete("manifest.json");
    await expect(openModel(memoryFolder(unfinished))).rejects.toThrow(/was its conversion cut short/);
  });

  it("of halves is not opened as floats", async () => {
    await expect(openModel((await converted("f16")).folder, { dtype: "f32" })).rejects.toThrow(/holds f16 weights/);
  });

  it("names its voices when one is unknown", async () => {
    const model = await openModel((await converted()).folder);
    await expect(model.voice("nobody")).rejects.toThrow(InputError);
    await expect(model.voice("nobody")).rejects.toThrow(/voice "nobody" is unknown; model has "a\/b", "中文女"/);
  });
});
