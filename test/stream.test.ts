import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chunkSchedule } from "../src/stream.js";

const lookahead = 3;
const schedule = (promptTokens: number, tokens: number) =>
  chunkSchedule(tokens, { promptTokens, lookahead }).map(({ offset, end, final }) => [
    offset,
    final ? end - offset : end - offset - lookahead,
    final,
  ]);

describe("chunk schedule", () => {
  test("pads the first hop to the prompt and doubles up to 100", () => {
    expect(schedule(87, 200)).toEqual([
      [0, 38, false],
      [38, 50, false],
      [88, 100, false],
      [188, 12, true],
    ]);
    expect(schedule(12, 330)).toEqual([
      [0, 38, false],
      [38, 50, false],
      [88, 100, false],
      [188, 100, false],
      [288, 42, true],
    ]);
  });

  test("an utterance shorter than hop and look-ahead is one final chunk", () => {
    expect(schedule(10, 20)).toEqual([[0, 20, true]]);
    expect(schedule(0, 27)).toEqual([[0, 27, true]]);
    expect(schedule(0, 28)).toEqual([
      [0, 25, false],
      [25, 3, true],
    ]);
  });

  test("every token is new in exactly one chunk, and every hop ends on the grid of 25", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 1000 }), (promptTokens, tokens) => {
        let at = 0;
        for (const { offset, end, final } of chunkSchedule(tokens, { promptTokens, lookahead })) {
          expect(offset).toBe(at);
          at = final ? end : end - lookahead;
          if (!final) expect((promptTokens + at) % 25).toBe(0);
        }
        expect(at).toBe(tokens);
      }),
    );
  });

  test("no tokens is an error", () => {
    expect(() => schedule(0, 0)).toThrow("at least one is needed");
  });
});
