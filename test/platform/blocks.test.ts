/** Reading in blocks gives the bytes that were asked for, in few requests. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { FIRST_BLOCK, inBlocks } from "../../src/platform/blocks.js";

const MIB = 1 << 20;

const CONTENT = new Uint8Array(9 * MIB).map((_, i) => (i * 2_654_435_761) >>> 13);

function file(size: number) {
  const content = CONTENT.subarray(0, size);
  const asked: [number, number][] = [];
  const fetchRange = async (offset: number, length: number) => {
    asked.push([offset, length]);
    expect(offset + length).toBeLessThanOrEqual(size);
    return content.slice(offset, offset + length);
  };
  return { content, asked, ...inBlocks(size, content.slice(0, FIRST_BLOCK), fetchRange) };
}

test("tensors side by side take a request for every four megabytes", async () => {
  const { content, asked, read } = file(9 * MIB);
  for (let at = 0; at < content.length; at += 30_000) {
    const length = Math.min(30_000, content.length - at);
    expect(Buffer.compare(await read(at, length), content.subarray(at, at + length))).toBe(0);
  }
  expect(asked).toEqual([
    [FIRST_BLOCK, 4 * MIB],
    [FIRST_BLOCK + 4 * MIB, 4 * MIB],
    [FIRST_BLOCK + 8 * MIB, MIB - FIRST_BLOCK],
  ]);
});

test("a long read is one request, a header none", async () => {
  const { asked, read } = file(9 * MIB);
  expect((await read(8, 60_000)).length).toBe(60_000);
  expect((await read(5, 8 * MIB)).length).toBe(8 * MIB);
  expect(asked).toEqual([[5, 8 * MIB]]);
});

test("reads at once share a request, results are the caller's own, and a request that failed is made again", async () => {
  const { content, asked, read } = file(2 * MIB);
  const [one, same] = await Promise.all([read(MIB, 10), read(MIB, 10)]);
  one?.fill(0);
  expect([same, await read(MIB, 10)]).toEqual(Array(2).fill(content.slice(MIB, MIB + 10)));
  expect(asked).toHaveLength(1);

  let broken = true;
  const flaky = inBlocks(2 * MIB, content.slice(0, FIRST_BLOCK), async (offset, length) => {
    if (broken) throw new Error("the network is gone");
    return content.slice(offset, offset + length);
  });
  await expect(flaky.read(MIB, 10)).rejects.toThrow("the network is gone");
  broken = false;
  expect(await flaky.read(MIB, 10)).toEqual(content.slice(MIB, MIB + 10));
});

test("any read is that of the file, near the edges of blocks too", async () => {
  const { content, read } = file(9 * MIB);
  const edges = [0, FIRST_BLOCK, FIRST_BLOCK + 4 * MIB, FIRST_BLOCK + 8 * MIB, 9 * MIB];
  const place = fc.tuple(fc.constantFrom(...edges), fc.integer({ min: -50, max: 50 })).map(([edge, by]) => edge + by);
  await fc.assert(
    fc.asyncProperty(place, fc.integer({ min: 0, max: 100 }), async (at, length) => {
      const offset = Math.max(0, Math.min(at, content.length - length));
      expect(Buffer.compare(await read(offset, length), content.subarray(offset, offset + length))).toBe(0);
    }),
  );
});
