import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Folder } from "../../../src/checkpoint/source.js";
import { FileError } from "../../../src/errors.js";
import { openGrammars } from "../../../src/platform/node.js";
import { normalize } from "../../../src/text/normalize.js";
import { loadTokenizer } from "../../../src/text/tokenizer.js";
import { unpackFst } from "../../../src/text/wetext/packed.js";
import { Wetext } from "../../../src/text/wetext/wetext.js";
import { memoryFolder } from "../../helpers/memoryFiles.js";
import { nastyStrings } from "../strings.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const reference = fileURLToPath(new URL("../shared/reference/", `file://${root}`));
const wetext = new Wetext(openGrammars);
const read = async (text: string) => (await wetext.normalizerFor(text))(text);

describe("what the official normaliser says", () => {
  const pairs = JSON.parse(readFileSync(`${root}test/text/wetext/pairs.json`, "utf8")) as [string, string | null][];

  test("of texts with dates, money, units, telephones and noise", async () => {
    const spoken = pairs.filter((pair): pair is [string, string] => pair[1] !== null);
    expect(spoken.length).toBeGreaterThan(300);
    for (const [text, expected] of spoken) expect(await read(text), JSON.stringify(text)).toBe(expected);
  });

  test("where it raises, the words that can be read are read and the rest is kept", async () => {
    const failing = pairs.flatMap(([text, spoken]) => (spoken === null ? [text] : []));
    expect(failing.length).toBeGreaterThan(20);
    for (const text of failing) expect(await read(text), JSON.stringify(text)).not.toBe("");
    expect(await read("Call +1 on May 4, 2023, 5 dogs")).toBe(
      "Call plus one on May four, twenty twenty three, five dogs",
    );
    expect(await read("$1.50/month  or 3€, [5] #7 あ5")).toBe("one dollar.fifty/month  or 3€, [five] number seven あ5");
    expect(await read("x\ty +1\n3rd")).toBe("x y plus one\nthird");
  });

  test.runIf(existsSync(reference))(
    "of the 150 reference texts, through the whole front end, only where ../shared lies beside the checkout",
    async () => {
      const folder = `${reference}mini/model/CosyVoice-BlankEN/`;
      const tokenizer = loadTokenizer({
        vocabJson: readFileSync(`${folder}vocab.json`, "utf8"),
        mergesTxt: readFileSync(`${folder}merges.txt`, "utf8"),
        tokenizerConfigJson: readFileSync(`${folder}tokenizer_config.json`, "utf8"),
      });
      const { cases } = JSON.parse(readFileSync(`${reference}normalize.json`, "utf8")) as {
        cases: { text: string; segments: string[]; normalized: string }[];
      };
      for (const { text, segments, normalized } of cases) {
        const normalizer = await wetext.normalizerFor(text);
        expect(normalize(text, { tokenizer, normalizer, split: true }), text).toEqual(segments);
        expect(normalize(text, { tokenizer, normalizer, split: false }), text).toBe(normalized);
      }
      expect(cases).toHaveLength(150);
    },
  );
});

test("the grammars are those of the wheel, byte for byte, and weights/wetext/README.md tells their hashes", () => {
  const told = readFileSync(`${root}weights/wetext/README.md`, "utf8");
  const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  for (const language of ["zh", "en"]) {
    for (const part of ["tagger", "verbalizer"]) {
      const name = `${language}-${part}.packed`;
      const packed = readFileSync(`${root}weights/wetext/${name}`);
      expect(told).toContain(sha256(packed));
      expect(told).toContain(sha256(unpackFst(gunzipSync(packed), name)));
    }
  }
});

describe("loading", () => {
  const watched = (folder: () => Promise<Folder>) => {
    const opened: string[] = [];
    const open = async (): Promise<Folder> => {
      const inner = await folder();
      return {
        ...inner,
        open(path) {
          opened.push(path);
          return inner.open(path);
        },
      };
    };
    return { opened, wetext: new Wetext(open) };
  };

  test("reads nothing until a text needs it, then one language, once", async () => {
    const { opened, wetext } = watched(openGrammars);
    for (const text of ["", "  ", "今天天气真好", "你好 hello", "①"]) {
      expect((await wetext.normalizerFor(text))(text)).toBe(text.trim());
    }
    expect(opened).toEqual([]);
    const both = await Promise.all([wetext.normalizerFor("5个"), wetext.normalizerFor("12")]);
    expect(both.map((normalizer) => normalizer(" 3个 "))).toEqual(["三个", "三个"]);
    expect(opened).toEqual(["zh-tagger.packed", "zh-verbalizer.packed"]);
    await wetext.normalizerFor("five");
    expect(opened.slice(2)).toEqual(["en-tagger.packed", "en-verbalizer.packed"]);
  });

  test("a grammar that cannot be read is named, with the way out, and tried again", async () => {
    const files = new Map<string, Uint8Array>();
    const { opened, wetext } = watched(async () => memoryFolder(files, "grammars"));
    for (const message of ["grammars/zh-tagger.packed: no such file", "grammars/zh-tagger.packed: not a gzip file"]) {
      await expect(wetext.normalizerFor("5个")).rejects.toThrow(FileError);
      await expect(wetext.normalizerFor("5个")).rejects.toThrow(message);
      await expect(wetext.normalizerFor("5个")).rejects.toThrow('choose the normaliser "none"');
      files.set("zh-tagger.packed", Uint8Array.of(1, 2, 3));
    }
    expect(opened).toHaveLength(6);
    for (const part of ["zh-tagger.packed", "zh-verbalizer.packed"]) {
      files.set(part, readFileSync(`${root}weights/wetext/${part}`));
    }
    expect((await wetext.normalizerFor("5个"))("5个")).toBe("五个");
  });
});

describe("any text", () => {
  /** What no grammar touches: letters of scripts that it does not know, and pictures. They must all come out, in their order. */
  const untouched = (text: string) =>
    (text.match(/[\p{Script=Hangul}\p{Script=Thai}\p{Script=Arabic}\p{Script=Hebrew}\p{Emoji_Presentation}]/gu) ?? [])
      .filter((character) => !/\p{N}/u.test(character))
      .join("");

  const check = async (text: string) => {
    const out = await read(text);
    const normalizer = await wetext.normalizerFor(text);
    expect(untouched(out)).toBe(untouched(text));
    if (/[\p{L}\p{Nd}]/u.test(text)) expect(out).toMatch(/[\p{L}\p{N}]/u);
    expect(normalizer(text)).toBe(out);
  };

  test("is read without an error and without a loss", async () => {
    const unit = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
      fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
      fc.constantFrom(..."0123456789.,:/-+%$￥年月日点分kgm个两 \t\n\"'\\{}()<>#&@한ไทب🙂あ\u0000\ud800"),
    );
    const property = fc.asyncProperty(fc.string({ unit, maxLength: 40 }), check);
    await fc.assert(property, { numRuns: 3000, seed: 5 });
    for (const text of nastyStrings(300, 11, ["[laughter]", "<|endofprompt|>"])) await check(text);
  });

  test.each([
    ["digits", "1234567890".repeat(10_000), 100_000],
    ["sentences", "今天是2023年5月4日，价格￥3.5。".repeat(1000), 20_000],
    ["words that cannot be read", "+1 #5 ".repeat(10_000), 60_000],
  ])("of 100 kB of %s is read in seconds of processor time", async (_, text, least) => {
    await read("1");
    const start = process.cpuUsage();
    expect((await read(text)).length).toBeGreaterThanOrEqual(least);
    // Five seconds by itself; beside another busy process it takes more.
    expect(process.cpuUsage(start).user).toBeLessThan(15e6);
  });

  test("beyond what a search can hold is read in parts", async () => {
    const out = await read("今天是2023年5月4日，".repeat(20_000));
    expect(out).toBe("今天是二零二三年五月四日，".repeat(20_000));
  });
});
