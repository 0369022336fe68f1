import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { halfToNumber, numberToHalf, toHalf } from "../../src/checkpoint/dtype.js";
import { parseHyperpyyaml } from "../../src/checkpoint/hyperpyyaml.js";
import { openOnnx } from "../../src/checkpoint/onnx.js";
import { scopeOf, speechTokenizerTensors } from "../../src/checkpoint/onnxNames.js";
import { unpickle } from "../../src/checkpoint/pickle.js";
import { openSafetensors, safetensorsHeader } from "../../src/checkpoint/safetensors.js";
import { checkedPath } from "../../src/checkpoint/source.js";
import { openState } from "../../src/checkpoint/stateFile.js";
import { computedTensor, readAll } from "../../src/checkpoint/tensor.js";
import { openTorch } from "../../src/checkpoint/torch.js";
import { memoryFile, memoryFolder } from "../helpers/memoryFiles.js";
import { onnxFile } from "../helpers/onnxFile.js";
import { floats, type Saved, type SavedStorage, torchFile, zipFile } from "../helpers/torchFile.js";

describe("halves", () => {
  it("survive the way through a float, all 65,536", () => {
    for (let half = 0; half < 65536; half++) {
      const number = halfToNumber(half);
      if (Number.isNaN(number)) expect(Number.isNaN(halfToNumber(numberToHalf(number)))).toBe(true);
      else if (numberToHalf(number) !== half)
        expect.fail(`half 0x${half.toString(16)} became 0x${numberToHalf(number).toString(16)}`);
    }
  });

  it("are the nearest to a float, ties to the even one", () => {
    const float = fc.oneof(
      fc.float({ noNaN: true, min: -70000, max: 70000 }),
      fc.float({ noNaN: true, min: Math.fround(-1e-6), max: Math.fround(1e-6) }),
    );
    fc.assert(
      fc.property(float, (x) => {
        const half = toHalf(Float32Array.of(x))[0] as number;
        if (Math.abs(x) >= 65520) return (half & 0x7fff) === 0x7c00;
        const error = Math.abs(halfToNumber(half) - x);
        return [half - 1, half + 1].every((other) => {
          const distance = Math.abs(halfToNumber(other & 0xffff) - x);
          return Number.isNaN(distance) || error < distance || (error === distance && half % 2 === 0);
        });
      }),
      { numRuns: 2000, seed: 1 },
    );
    // Half way between 1 and the next half, and between the next two.
    expect(halfToNumber(numberToHalf(1 + 2 ** -11))).toBe(1);
    expect(halfToNumber(numberToHalf(1 + 3 * 2 ** -11))).toBe(1 + 2 ** -9);
  });
});

async function read(root: Saved): Promise<Record<string, number[]>> {
  const { tensors } = await openState(memoryFile(torchFile(root)), "flow");
  const entries = await Promise.all(
    [...tensors].map(async ([name, tensor]) => [name, Array.from(await readAll(tensor))] as [string, number[]]),
  );
  return Object.fromEntries(entries);
}

const range = (count: number) =>
  floats(
    "range",
    Float32Array.from({ length: count }, (_, i) => i),
  );

describe("torch files", () => {
  it("give views, transposes, scalars and empty tensors of shared storages", async () => {
    const storage = range(6);
    const empty: SavedStorage = { key: "empty", type: "FloatStorage", count: 0, bytes: new Uint8Array() };
    const tensors = await read({
      whole: { shape: [2, 3], storage },
      transposed: { shape: [3, 2], stride: [1, 3], storage },
      row: { shape: [3], offset: 3, storage },
      column: { shape: [2], stride: [3], offset: 2, storage },
      scalar: { shape: [], offset: 4, storage },
      empty: { shape: [0, 3], storage: empty },
    });
    expect(tensors).toEqual({
      whole: [0, 1, 2, 3, 4, 5],
      transposed: [0, 3, 1, 4, 2, 5],
      row: [3, 4, 5],
      column: [2, 5],
      scalar: [4],
      empty: [],
    });
  });

  it("give every element type as floats", async () => {
    const make = (type: string, bytes: ArrayBufferView): Saved => ({
      shape: [2],
      storage: { key: type, type, count: 2, bytes: new Uint8Array(bytes.buffer) },
    });
    expect(
      await read({
        double: make("DoubleStorage", Float64Array.of(1.5, -2)),
        half: make("HalfStorage", Uint16Array.of(0x3c00, 0xc100)),
        bfloat: make("BFloat16Storage", Uint16Array.of(0x3fc0, 0xc020)),
        long: make("LongStorage", BigInt64Array.of(-7n, 2n ** 40n)),
        int: make("IntStorage", Int32Array.of(-7, 9)),
        bool: make("BoolStorage", Uint8Array.of(0, 1)),
      }),
    ).toEqual({
      double: [1.5, -2],
      half: [1, -2.5],
      bfloat: [1.5, -2.5],
      long: [-7, 2 ** 40],
      int: [-7, 9],
      bool: [0, 1],
    });
  });

  it("leave out what is not a tensor", async () => {
    expect(
      Object.keys(
        await read({ w: { shape: [1], storage: range(1) }, epoch: 3, step: 2 ** 40, loss: 0.5, note: "x", none: null }),
      ),
    ).toEqual(["w"]);
  });

  it.each<[string, Saved, RegExp]>([
    [
      "more elements than the storage",
      { w: { shape: [7], storage: range(6) } },
      /w: \[7\] at 0 with strides \[1\] leaves its storage of 6/,
    ],
    ["an offset beyond it", { w: { shape: [2], offset: 5, storage: range(6) } }, /leaves its storage/],
    ["strides beyond it", { w: { shape: [2, 2], stride: [5, 1], storage: range(6) } }, /leaves its storage/],
    ["a negative offset", { w: { shape: [1], offset: -1, storage: range(6) } }, /offset -1/],
    ["an expanded bomb", { w: { shape: [2 ** 30, 2 ** 20], stride: [0, 0], storage: range(6) } }, /leaves its storage/],
    ["a shape of 2^60", { w: { shape: [2 ** 52, 2 ** 8], storage: range(6) } }, /is too large/],
    [
      "a storage longer than its entry",
      { w: { shape: [9], storage: { ...range(6), count: 9 } } },
      /claims 9 elements of 4 bytes, "data\/range" has 24/,
    ],
    ["no tensors", { epoch: 1 }, /no state dict/],
  ])("refuse %s", async (_, root, message) => {
    await expect(read(root)).rejects.toThrow(message);
  });

  it("refuse another container, a compressed entry and a second pickle", async () => {
    await expect(openTorch(memoryFile(Uint8Array.of(0x80, 2, 0x8a)))).rejects.toThrow(
      /not a ZIP archive as torch.save/,
    );
    const two = zipFile([
      ["a/data.pkl", Uint8Array.of(0x4e, 0x2e)],
      ["b/data.pkl", Uint8Array.of(0x4e, 0x2e)],
    ]);
    await expect(openTorch(memoryFile(two))).rejects.toThrow(/2 entries/);
    const deflated = zipFile([["a/data.pkl", Uint8Array.of(0x4e, 0x2e)]]);
    deflated[deflated.length - 22 - 46 - "a/data.pkl".length + 10] = 8;
    await expect(openTorch(memoryFile(deflated))).rejects.toThrow(/compressed or encrypted/);
  });
});

describe("pickles", () => {
  const run = (code: string | Uint8Array) =>
    unpickle(typeof code === "string" ? new TextEncoder().encode(code) : code, {
      label: "p",
      globals: new Map(),
      persistent: () => null,
    });

  it.each([
    ["a call of os.system", "cos\nsystem\n(X\x02\x00\x00\x00lstR."],
    ["a call of eval by stack", "\x8c\x08builtins\x8c\x04eval\x93."],
    ["an instance", "(c__main__\nX\no."],
    ["a new object", "cx\ny\n)\x81."],
  ])("refuse %s", (_, code) => {
    expect(() => run(Uint8Array.from(code, (letter) => letter.charCodeAt(0)))).toThrow(
      /only tensors are allowed|is not one that a file of tensors uses/,
    );
  });

  it.each([
    ["text longer than the file", Uint8Array.of(0x58, 255, 255, 255, 127), /ends in the middle/],
    ["a missing end", Uint8Array.of(0x4e), /ends in the middle/],
    ["an empty stack", Uint8Array.of(0x2e), /empty stack/],
    ["a value never stored", Uint8Array.of(0x68, 9, 0x2e), /never stored/],
    ["a group never opened", Uint8Array.of(0x74, 0x2e), /never opened/],
    ["an integer of 200 bytes", Uint8Array.of(0x8a, 200, 0x2e), /integer of 200 bytes/],
    ["an item of no dict", Uint8Array.of(0x4e, 0x4e, 0x4e, 0x73, 0x2e), /not a dict/],
    ["two million values", new Uint8Array(2_000_000).fill(0x4e), /values on the stack/],
  ])("refuse %s", (_, code, message) => {
    expect(() => run(code)).toThrow(message);
  });

  it.each([
    // A list of 1,000 pairs that is kept (BINPUT 1) and made into a dict (global 0, list 1, TUPLE1, REDUCE) 3,000 times.
    [
      "a list made into a dict again and again",
      `ccollections\nOrderedDict\nq\0]q\x01(${Array.from({ length: 1000 }, (_, i) => `M${String.fromCharCode(i & 255, i >> 8)}N\x86`).join("")}e${"h\0h\x01\x85R0".repeat(3000)}N.`,
    ],
    ["empty dicts", `(${"}0".repeat(300_000)}N.`],
    ["a value kept at ever new places", `N${"\x94".repeat(2_100_000)}.`],
  ])("refuse %s, which would fill the memory", async (_, code) => {
    const pickle = new Uint8Array(Buffer.from(code, "latin1"));
    const open = openTorch(memoryFile(zipFile([["a/data.pkl", pickle]])));
    await expect(open).rejects.toThrow(/data\.pkl: it makes more than 2000000 values; the file may be harmful$/);
  });
});

describe("ONNX files", () => {
  const node = { op: "Conv", name: "/conv/Conv", inputs: ["x", "w"] };
  const open = (bytes: Uint8Array, others: readonly (readonly [string, Uint8Array])[] = []) =>
    openOnnx(memoryFolder(new Map([["m.onnx", bytes], ...others])), "m.onnx");
  const raw = (values: Float32Array) => new Uint8Array(values.buffer);

  it("give nodes, attributes, initializers and constants", async () => {
    const graph = await open(
      onnxFile(
        [
          { ...node, floats: { epsilon: 0.25 }, ints: { dilations: [2, 3] } },
          { op: "Constant", name: "/c", inputs: [], value: { name: "", shape: [2], floats: Float32Array.of(5, 6) } },
        ],
        [{ name: "w", shape: [2, 1], raw: raw(Float32Array.of(1, 2)) }],
      ),
    );
    expect(graph.nodes[0]).toMatchObject({ op: "Conv", name: "/conv/Conv", inputs: ["x", "w"] });
    expect(graph.nodes[0]?.floats.get("epsilon")).toBe(0.25);
    expect(graph.nodes[0]?.ints.get("dilations")).toEqual([2, 3]);
    const [w, c] = [await graph.tensor("w"), await graph.tensor("/c_output_0")];
    expect([w?.shape, w && [...(await readAll(w))]]).toEqual([
      [2, 1],
      [1, 2],
    ]);
    expect(c && [...(await readAll(c))]).toEqual([5, 6]);
    expect(await graph.tensor("x")).toBeUndefined();
  });

  it("give external data beside the file, and nothing outside the folder", async () => {
    const external = (location: string, offset = "4") =>
      onnxFile([node], [{ name: "w", shape: [1], external: { location, offset } }]);
    const beside = ["w.bin", raw(Float32Array.of(1, 2))] as const;
    const w = await (await open(external("w.bin"), [beside])).tensor("w");
    expect(w && [...(await readAll(w))]).toEqual([2]);
    await expect((await open(external("w.bin", "8"), [beside])).tensor("w")).rejects.toThrow(/outside/);
    await expect((await open(external("w.bin", "-4"), [beside])).tensor("w")).rejects.toThrow(/external data at/);
  });

  it.each([
    ["a shape of 2^60", { shape: [2 ** 30, 2 ** 30], raw: new Uint8Array(4) }, /too large/],
    ["too few bytes", { shape: [3], raw: new Uint8Array(8) }, /needs 12 bytes, it has 8/],
    ["no bytes", { shape: [3] }, /without values/],
    ["an unknown element type", { shape: [1], type: 8, raw: new Uint8Array(4) }, /element type 8/],
  ])("refuse %s", async (_, tensor, message) => {
    const graph = await open(onnxFile([node], [{ name: "w", ...tensor }]));
    await expect(graph.tensor("w")).rejects.toThrow(message);
  });

  it("give weights that are stored as halves behind a Cast, and keep them halves", async () => {
    const halves = Uint16Array.from([1, 2, 3, 4, 5, 6], numberToHalf);
    const graph = await open(
      onnxFile(
        [
          { op: "Cast", name: "/Cast_w", inputs: ["w"], outputs: ["w_float"] },
          { op: "MatMul", name: "/blocks.0/attn/query/MatMul", inputs: ["x", "w_float"] },
          { op: "Cast", name: "/Cast_v", inputs: ["v"], outputs: ["v_float"] },
          { op: "Conv", name: "/conv1/Conv", inputs: ["x", "v_float"] },
        ],
        [
          { name: "w", shape: [2, 3], type: 10, raw: new Uint8Array(halves.buffer) },
          { name: "v", shape: [3, 2, 1], type: 10, raw: new Uint8Array(halves.buffer) },
        ],
      ),
    );
    const { tensors } = await speechTokenizerTensors(graph);
    const query = tensors.get("encoder.blocks.0.attn.query.weight");
    expect([query?.type, query?.shape, query && [...(await readAll(query))]]).toEqual([
      "F16",
      [3, 2],
      [1, 4, 2, 5, 3, 6],
    ]);
    expect(tensors.get("encoder.conv1.weight")?.type).toBe("F16");
  });

  it("name a tensor by the scope of its node", () => {
    expect(scopeOf("/head/layer1/layer1.0/shortcut/shortcut.0/Conv")).toEqual({
      scope: "head.layer1.0.shortcut.0",
      op: "Conv",
    });
    expect(scopeOf("/blocks.0/mlp/mlp.2/MatMul")).toEqual({ scope: "blocks.0.mlp.2", op: "MatMul" });
  });
});

describe("paths", () => {
  it.each(["../w", "/etc/passwd", "a/../../b", "a//b", "a\\b", "C:w", "", ".", "a\0b"])("refuse %j", (path) => {
    expect(() => checkedPath(path, "folder")).toThrow(/is not one inside the folder/);
  });

  it("accept what stays inside", () => {
    expect(checkedPath("tokenizer/vocab.json", "folder")).toBe("tokenizer/vocab.json");
  });
});

describe("hyperpyyaml", () => {
  const parse = (text: string) => parseHyperpyyaml(text, "y");

  it("gives tagged maps as maps and references as values", () => {
    expect(
      parse(
        "a: 25\nb: !ref <a> * <c[d]>\nc: !new:x.Y\n  d: 2\ne: !ref <c>\nf: !ref out/<a>/x\ng: !apply:r.seed [1]\nh: !ref (<a> + 1) // 4 - 2 ** 3\ni: !name:f\nj: [0.5, true, null, 1e-06]",
      ),
    ).toEqual({
      a: 25,
      b: 50,
      c: { "!": "new:x.Y", d: 2 },
      e: { "!": "new:x.Y", d: 2 },
      f: "out/25/x",
      g: [1],
      h: -2,
      i: "",
      j: [0.5, true, null, 1e-6],
    });
  });

  it("reads lists that close at the margin, as the release has them", () => {
    const text = "k: 2\na: !name:x.y\n    n: 2\nlist: [\n    !ref <a>,\n    !ref <k>,\n] # end\nlr: 1e-5\n";
    const a = { "!": "name:x.y", n: 2 };
    expect(parse(text)).toEqual({ k: 2, a, list: [a, 2], lr: 1e-5 });
  });

  it.each([
    ["a reference to nothing", "a: !ref <b>", /<b> refers to nothing/],
    ["a circle", "a: !ref <b>\nb: !ref <a>", /deeper than/],
    [
      "aliases that unfold",
      `${Array.from({ length: 12 }, (_, i) => `a${i}: &a${i} [${i ? Array(9).fill(`*a${i - 1}`) : 1}]`).join("\n")}`,
      /more than 100000 values/,
    ],
    [
      "references that unfold",
      Array.from({ length: 30 }, (_, i) => `a${i}: {x: !ref <a${i + 1}>, y: !ref <a${i + 1}>}`).join("\n"),
      /more than 100000 values|refers to nothing/,
    ],
    ["deep nesting", "[".repeat(100_000), /y: /],
    ["no mapping", "[1, 2]", /not a yaml mapping/],
    ["broken text", "a: [1", /y: /],
    ["a key twice", "a: 1\na: 2", /key "a" is there twice/],
    ["an anchor twice", "a: &x 1\nb: &x 2", /anchor "x" is there twice/],
    ["a megabyte", " ".repeat(1 << 20), /characters, at most/],
  ])("refuses %s", (_, text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

describe("safetensors", () => {
  const file = (header: unknown, data = 0, length?: bigint) => {
    const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
    const bytes = new Uint8Array(8 + text.length + data);
    new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
    bytes.set(text, 8);
    return memoryFile(bytes, "s");
  };
  const entry = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype = "F32") => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });

  it("gives what was written", async () => {
    const header = safetensorsHeader(
      [
        { name: "10", shape: [2], type: "F32" },
        { name: "2", shape: [1], type: "F16" },
      ],
      { voices: '["ä\\""]' },
    );
    const bytes = new Uint8Array(header.length + 10);
    bytes.set(header);
    bytes.set(new Uint8Array(Float32Array.of(1, 2).buffer), header.length);
    bytes.set([0, 0x3c], header.length + 8);
    const read = await openSafetensors(memoryFile(bytes));
    expect(read.metadata.get("voices")).toBe('["ä\\""]');
    const values = await Promise.all(
      [...read.tensors].map(async ([name, tensor]) => [name, ...(await readAll(tensor))]),
    );
    expect(values).toContainEqual(["10", 1, 2]);
    expect(values).toContainEqual(["2", 1]);
    expect(header.length % 8).toBe(0);
  });

  it.each([
    ["an overlap", file({ a: entry(0, 8), b: entry(4, 12) }, 12), /b begins at byte 4, the tensor before it ends at 8/],
    ["a hole", file({ a: entry(0, 4), b: entry(8, 12) }, 12), /b begins at byte 8/],
    ["bytes behind the last tensor", file({ a: entry(0, 4) }, 8), /end at byte 4, its data at 8/],
    ["offsets outside", file({ a: entry(0, 400) }, 8), /outside/],
    ["falling offsets", file({ a: entry(8, 4) }, 8), /not two rising/],
    ["a fractional offset", file({ a: entry(0.5, 4.5) }, 8), /not two rising/],
    ["a shape that is not the span", file({ a: entry(0, 8, [3]) }, 8), /needs 12 bytes, its offsets span 8/],
    ["a shape of 2^60", file({ a: entry(0, 8, [2 ** 30, 2 ** 30]) }, 8), /too large/],
    ["a negative size", file({ a: entry(0, 8, [-2, -1]) }, 8), /not a size/],
    ["a shape of zeros that overflows", file({ a: entry(0, 0, [0, 2 ** 53]) }, 0), /not a size/],
    ["an unknown type", file({ a: entry(0, 8, [8], "F8_E4M3") }, 8), /element type F8_E4M3/],
    ["a type from the prototype", file({ a: entry(0, 8, [8], "toString") }, 8), /element type toString/],
    ["a header of 2^63 bytes", file({}, 0, 2n ** 63n), /claims a header of/],
    ["no JSON", file("{", 0), /not JSON/],
    ["no object", file("[]", 0), /not an object/],
    ["seven bytes", memoryFile(new Uint8Array(7)), /too short/],
  ])("refuses %s", async (_, made, message) => {
    await expect(openSafetensors(made)).rejects.toThrow(message);
  });
});

describe("computed tensors", () => {
  it("are computed once for a walk from front to back", async () => {
    let computed = 0;
    const tensor = computedTensor("t", [5], async () => {
      computed++;
      return Float32Array.of(0, 1, 2, 3, 4);
    });
    const slices = [await tensor.read(0, 2), await tensor.read(2, 2), await tensor.read(4, 1)];
    expect([slices.map((slice) => [...slice]), computed]).toEqual([[[0, 1], [2, 3], [4]], 1]);
    await expect(tensor.read(4, 2)).rejects.toThrow(/elements 4 .. 6 were asked for, it has 5/);
  });
});
