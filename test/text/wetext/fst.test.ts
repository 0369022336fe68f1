import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FileError } from "../../../src/errors.js";
import { AHEAD_WORDS, FST_MAGIC, HEADER_BYTES, readFst } from "../../../src/text/wetext/fst.js";
import { readPackedFst, unpackFst } from "../../../src/text/wetext/packed.js";
import { transduce } from "../../../src/text/wetext/search.js";
import { memoryFile } from "../../helpers/memoryFiles.js";
import { columnsOf, fstFile, type State } from "./fstFile.js";

const [a, b, x, y] = [97, 98, 120, 121];
/** Reads "ab" or "a" and more epsilons; two ways write the same number of bytes. */
const STATES: readonly State[] = [
  {
    arcs: [
      [0, 0, 0.5, 1],
      [a, x, 1, 2],
      [a, y, 1, 2],
    ],
  },
  { arcs: [[a, y, 0.25, 2]] },
  { arcs: [[b, b, -2, 3]], final: 0.5 },
  { arcs: [], final: 0 },
];
const bytesOf = (text: string) => new TextEncoder().encode(text);
const run = (states: readonly State[], text: string) => {
  const out = transduce(readFst(fstFile(states), "made"), bytesOf(text));
  return out && new TextDecoder().decode(out);
};

describe("readFst", () => {
  test("reads states, arcs and what may follow", () => {
    const fst = readFst(fstFile(STATES), "made");
    expect(Array.from(fst.first)).toEqual([0, 3, 4, 5, 5]);
    expect(Array.from(fst.final)).toEqual([Infinity, Infinity, 0.5, 0]);
    expect(Array.from(fst.input)).toEqual([0, a, a, a, b]);
    expect(Array.from(fst.weight)).toEqual([0.5, 1, 1, 0.25, -2]);
    const may = (state: number, byte: number) =>
      (((fst.ahead[state * AHEAD_WORDS + (byte >> 5)] ?? 0) >>> (byte & 31)) & 1) === 1;
    expect([may(0, a), may(0, b), may(0, 0), may(2, b), may(2, 0), may(3, 0), may(3, a)]).toEqual([
      ...[true, false, false, true, true, true, false],
    ]);
  });

  const changed = (change: (view: DataView) => void) => {
    const file = fstFile(STATES);
    change(new DataView(file.buffer));
    return file;
  };
  test.each([
    ["an empty file", new Uint8Array(), "not an OpenFst file"],
    ["another magic", changed((view) => view.setUint32(0, FST_MAGIC + 1, true)), "not an OpenFst file"],
    ["another type", changed((view) => view.setUint8(8, 0x56)), 'not a transducer of type "vector standard"'],
    ["a type's huge length", changed((view) => view.setInt32(4, 2 ** 30, true)), "not a transducer of type"],
    ["another version", changed((view) => view.setInt32(26, 3, true)), "version 3 with flags 0"],
    ["symbol tables", changed((view) => view.setInt32(30, 3, true)), "version 2 with flags 3"],
    ["too many states", changed((view) => view.setUint32(50, 1000, true)), "claims 1000 states, the file has room for"],
    ["negative states", changed((view) => view.setBigInt64(50, -1n, true)), "states, the file has room for"],
    ["no start", changed((view) => view.setBigInt64(42, -1n, true)), "it starts in state"],
    [
      "too many arcs",
      changed((view) => view.setUint32(70, 99, true)),
      "state 0 claims 99 arcs, the file has room for 5",
    ],
    ["too few arcs", changed((view) => view.setUint32(70, 2, true)), "state 1 claims"],
    ["a wide label", changed((view) => view.setInt32(82, 256, true)), "arc 0 maps 0 to 256, labels are bytes"],
    ["a state out of range", changed((view) => view.setInt32(90, 4, true)), "arc 0 leads to state 4 of 4"],
    ["a NaN", changed((view) => view.setFloat32(86, Number.NaN, true)), "arc 0 has weight NaN"],
    [
      "a NaN final weight",
      changed((view) => view.setFloat32(66, Number.NaN, true)),
      "state 0 has the final weight NaN",
    ],
    ["more bytes", Uint8Array.of(...fstFile(STATES), 0), "1 bytes follow the last state"],
    [
      "labels out of order",
      fstFile([{ arcs: [...(STATES[1]?.arcs ?? []), [0, 0, 0, 0]] }, ...STATES]),
      "not in the order",
    ],
    [
      "a cycle",
      fstFile([{ arcs: [[0, 0, 0, 1]] }, { arcs: [[0, 0, 0, 0]], final: 0 }]),
      "a cycle of its arcs reads nothing",
    ],
    ["a loop", fstFile([{ arcs: [[0, x, -1, 0]], final: 0 }]), "a cycle of its arcs reads nothing"],
  ])("refuses %s", (_, file, message) => {
    expect(() => readFst(file, "made")).toThrow(FileError);
    expect(() => readFst(file, "made")).toThrow(`made: `);
    expect(() => readFst(file, "made")).toThrow(message);
  });

  test("whatever the bytes, it reads them or refuses them with one line, and a search through them ends", () => {
    const file = fstFile(STATES);
    const mutation = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(mutation, fc.nat(file.length), (changes, cut) => {
        const bytes = cut % 4 === 0 ? file.slice(0, cut) : file.slice();
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        try {
          transduce(readFst(bytes, "made"), bytesOf("ab"));
        } catch (error) {
          if (!(error instanceof FileError)) throw error;
          expect(error.message).toMatch(/^made: .{1,120}$/);
        }
      }),
      { numRuns: 3000, seed: 4 },
    );
  });
});

describe("packed grammars", () => {
  test("unpack to the same file", async () => {
    const file = fstFile(STATES);
    expect(unpackFst(columnsOf(file), "made")).toEqual(file);
    expect((await readPackedFst(memoryFile(gzipSync(columnsOf(file))))).next).toEqual(readFst(file, "made").next);
  });

  test.each([
    ["no gzip", bytesOf("hello"), "not a gzip file"],
    ["half a gzip file", gzipSync(columnsOf(fstFile(STATES))).subarray(0, 60), "not a gzip file"],
    ["a short file", gzipSync(bytesOf("hello")), "5 bytes are less than a header"],
    ["a bomb", gzipSync(new Uint8Array(1 << 27)), "unpacks to more than"],
    ["too few columns", gzipSync(columnsOf(fstFile(STATES)).subarray(0, -3)), "cannot hold 4 states"],
    ["too many states", gzipSync(new Uint8Array(HEADER_BYTES).fill(255)), "cannot hold 4294967295 states"],
    ["arcs without a state", gzipSync(new Uint8Array(HEADER_BYTES + 16)), "its states do not have 1 arcs"],
    ["a large file", new Uint8Array(1 << 23), "a grammar has at most"],
  ])("refuse %s", async (_, bytes, message) => {
    const reading = readPackedFst(memoryFile(bytes, "made"));
    await expect(reading).rejects.toThrow(FileError);
    await expect(reading).rejects.toThrow(message);
  });
});

describe("transduce", () => {
  test("takes the lightest path, negative weights included", () => {
    expect(run(STATES, "a")).toBe("y");
    expect(run(STATES, "ab")).toBe("yb");
    expect(run(STATES, "a\0b\0")).toBe("yb");
  });

  test("says when no path reads the text", () => {
    for (const text of ["", "b", "abb", "aa"]) expect(run(STATES, text)).toBeUndefined();
  });

  test("of equal paths the first arc wins between the same states, else the state that the original relaxes first", () => {
    const same = (weight: number): readonly State[] => [
      {
        arcs: [
          [a, x, weight, 1],
          [a, y, weight, 1],
        ],
      },
      { arcs: [], final: 0 },
    ];
    const apart = (weight: number): readonly State[] => [
      {
        arcs: [
          [a, x, weight, 1],
          [a, y, weight, 2],
        ],
      },
      { arcs: [[b, b, 0, 3]] },
      { arcs: [[b, b, 0, 3]] },
      { arcs: [], final: 0 },
    ];
    for (const weight of [0, 1]) {
      expect(run(same(weight), "a")).toBe("x");
      expect(run(apart(weight), "ab")).toBe("yb");
    }
  });

  test("goes through long texts and long chains without recursion", () => {
    const loop: readonly State[] = [
      {
        arcs: [
          [a, x, 1, 0],
          [a, y, 0.5, 0],
        ],
        final: 0,
      },
    ];
    expect(run(loop, "a".repeat(200_000))).toBe("y".repeat(200_000));
    const chain: State[] = Array.from({ length: 50_000 }, (_, i) => ({ arcs: [[0, i === 7 ? x : 0, 1, i + 1]] }));
    expect(run([...chain, { arcs: [], final: 0 }], "")).toBe("x");
  });
});
