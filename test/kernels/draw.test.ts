import { describe, expect, test } from "vitest";
import { DONE, DRAW_MODES, draw } from "../../kernels/draw.js";
import { variantName } from "../../src/gpu/kernel.js";
import { seedKey, streamId } from "../../src/random.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { runKernel } from "../helpers/kernel.js";
import { uniform } from "../helpers/random.js";
import { draw as reference } from "../reference/draw.js";
import { nucleus } from "../reference/nucleus.js";

const VOCAB = 203;
const FIRST_STOP = 200;
const STREAM = "test";
const RULES = { window: 10, repeats: 1 };

describe.each(adapterNames)("draw on %s", (adapter) => {
  describe.each(draw.variants.map((constants) => [variantName(draw, constants), constants] as const))(
    "%s",
    (_, constants) => {
      const { topK } = constants;

      async function run(
        logits: Float32Array,
        candidates: readonly number[],
        history: readonly number[],
        options: { mode?: keyof typeof DRAW_MODES; seed?: number; maxLen?: number; minLen?: number; done?: number },
      ) {
        const { mode = "sample", seed = 1, maxLen = 64, minLen = 0, done = 0 } = options;
        const [seedLow, seedHigh] = seedKey(seed);
        const ids = new Int32Array(topK + 1).fill(-1);
        ids.set(candidates);
        ids[topK] = candidates.length;
        const tokens = new Int32Array(64).fill(77);
        tokens.set(history);
        const out = await runKernel(
          await testDevice(adapter),
          draw,
          constants,
          {
            vocab: VOCAB,
            firstStop: FIRST_STOP,
            maskedStops: 3,
            minLen,
            maxLen,
            mode: DRAW_MODES[mode],
            advance: 5,
            ...RULES,
            seedLow,
            seedHigh,
            drawStream: streamId(`${STREAM}.draw`),
            redrawStream: streamId(`${STREAM}.redraw`),
          },
          {
            logits: { shape: [VOCAB], data: logits },
            ids: { shape: [topK + 1], data: ids },
            state: { shape: [4], data: Int32Array.of(30, 9, history.length, done) },
            tokens: { shape: [64], data: tokens },
            margins: { shape: [64] },
          },
        );
        const [position, token, step, isDone] = new Int32Array((out.state as Float32Array).buffer);
        const written = new Int32Array((out.tokens as Float32Array).buffer)[history.length];
        return { position, token, step, done: isDone, written, margin: out.margins?.[history.length] };
      }

      test("chooses the reference's ids from random logits, with equal and impossible ones and repeated ids", async () => {
        let redrawn = 0;
        for (let trial = 0; trial < 40; trial++) {
          const logits = uniform(trial, VOCAB, -3, 3).map((v, i) =>
            i % 11 === trial % 11 ? Number.NEGATIVE_INFINITY : i % 5 === 0 ? 1.5 : v,
          );
          const history = Array.from(uniform(trial + 99, trial % 13, 0, 12), Math.floor);
          const masking = { firstStop: FIRST_STOP, maskedStops: 3, minLen: 100, step: history.length };
          const candidates = nucleus(logits, masking, { topP: 0.8, topK }).ids;
          // A history made of the candidates forces the second draw.
          if (trial % 2 === 0) history.splice(0, history.length, ...candidates.slice(0, history.length));
          const step = history.length;
          const seed = trial * 2 ** 33 + trial;
          const want = reference(logits, candidates, history, { ...masking, step }, { ...RULES, seed, stream: STREAM });
          if (!candidates.includes(want)) redrawn++;
          const got = await run(logits, candidates, history, { seed, minLen: 100 });
          expect(got, `trial ${trial}`).toMatchObject({
            position: 35,
            token: want,
            step: step + 1,
            written: want,
            done: 0,
          });
        }
        expect(redrawn).toBeGreaterThan(2);
      });

      test("an only possible id is repeated rather than nothing", async () => {
        const logits = new Float32Array(VOCAB).fill(Number.NEGATIVE_INFINITY);
        logits[4] = 0;
        expect(await run(logits, [4], [4, 4], {})).toMatchObject({ token: 4, step: 3 });
      });

      test("stops at stop ids, at the greatest length and at logits that are no numbers, and then changes nothing", async () => {
        const logits = uniform(1, VOCAB);
        for (const [id, done] of [
          [FIRST_STOP, DONE.eos],
          [FIRST_STOP + 1, DONE.reserved],
          [FIRST_STOP + 2, DONE.fill],
        ] as const) {
          expect(await run(logits, [id], [1, 2], {})).toMatchObject({
            position: 35,
            token: 9,
            step: 2,
            written: 77,
            done,
          });
        }
        expect(await run(logits, [3], [1, 2], { maxLen: 3 })).toMatchObject({ token: 3, step: 3, done: DONE.length });
        expect(await run(logits, [], [1, 2], {})).toMatchObject({ step: 2, done: DONE.broken });
        const frozen = { position: 30, token: 9, step: 2, written: 77, done: DONE.eos };
        expect(await run(logits, [3], [1, 2], { done: DONE.eos })).toMatchObject(frozen);
      });

      test("greedy takes the first candidate and tells its lead, forced takes what is written", async () => {
        const logits = uniform(1, VOCAB);
        const greedy = await run(logits, [8, 6], [8, 8], { mode: "greedy" });
        expect(greedy).toMatchObject({ token: 8, step: 3 });
        expect(greedy.margin).toBeCloseTo((logits[8] as number) - (logits[6] as number), 6);
        expect(await run(logits, [8, 6], [8, 8], { mode: "forced" })).toMatchObject({ token: 77, step: 3, done: 0 });
      });
    },
  );
});
