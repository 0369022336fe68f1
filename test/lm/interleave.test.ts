import { describe, expect, test } from "vitest";
import { type Block, type InterleaveInput, interleave } from "../../src/lm/interleave.js";

const ORDER = { mixRatio: [5, 15] } as const;
const ids = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

/** Rows as words, e.g. "text 1..5"; the model chooses `codes` of the room that a block leaves. */
async function run(
  input: InterleaveInput,
  codes: (room: number) => number,
): Promise<{ rows: string; room: number | undefined }[]> {
  const seen: { rows: string; room: number | undefined }[] = [];
  const blocks = interleave(ORDER, input);
  let next = 1000;
  for (let answer: number[] = []; ; ) {
    const { value, done } = await blocks.next(answer);
    if (done) return seen;
    const { rows, room }: Block = value;
    const words = rows
      .filter(({ ids }) => ids.length > 0)
      .map(({ table, ids }) => {
        if (table === "marks") return ids[0] === 0 ? "begin" : "task";
        return ids.length === 1 ? `${table} ${ids[0]}` : `${table} ${ids[0]}..${ids[ids.length - 1]}`;
      });
    seen.push({ rows: words.join(", "), room });
    answer = ids(next, codes(room ?? 0));
    next += answer.length;
  }
}

describe("interleave", () => {
  test("no prompt, 12 text ids, a model that never fills by itself", async () => {
    const input = { promptTextIds: [], promptSpeechIds: [], text: ids(1, 12) };
    expect(await run(input, (room) => room)).toEqual([
      { rows: "begin, text 1..5", room: 15 },
      { rows: "text 6..10", room: 15 },
      { rows: "text 11..12, task", room: undefined },
    ]);
  });

  test("as upstream the last block feeds the last code twice", async () => {
    const input = { promptTextIds: [], promptSpeechIds: [], text: ids(1, 12), compatOfficial: true };
    expect((await run(input, (room) => room)).at(-1)?.rows).toBe("speech 1029, text 11..12, task");
    expect((await run(input, () => 0)).at(-1)?.rows).toBe("text 6..10, text 11..12, task");
  });

  test("a prompt of 87 speech ids: 118 rows first, then room for 3 codes, then for 15", async () => {
    const input = { promptTextIds: ids(1, 30), promptSpeechIds: ids(500, 87), text: ids(31, 7) };
    const blocks = interleave(ORDER, input);
    const first = (await blocks.next([])).value as Block;
    expect(first.rows.reduce((sum, { ids }) => sum + ids.length, 0)).toBe(118);
    expect(first.room).toBe(3);
    expect(await run(input, (room) => room)).toMatchObject([
      { room: 3 },
      { rows: "text 31..35", room: 15 },
      { rows: "text 36..37, task" },
    ]);
  });

  test("speech of the prompt that text never came for stays a prompt; upstream drops it", async () => {
    const input = { promptTextIds: ids(1, 3), promptSpeechIds: ids(500, 40), text: ids(4, 4) };
    expect(await run(input, () => 0)).toEqual([
      { rows: "begin, text 1..5, speech 500..514, text 6..7, task, speech 515..539", room: undefined },
    ]);
    expect((await run({ ...input, compatOfficial: true }, () => 0)).at(-1)?.rows).toBe(
      "begin, text 1..5, speech 500..514, text 6..7, task",
    );
  });

  test("no text at all still ends with the task mark", async () => {
    expect(await run({ promptTextIds: [], promptSpeechIds: [], text: [] }, () => 0)).toEqual([
      { rows: "begin, task", room: undefined },
    ]);
  });
});
