/** Speech for a text that arrives bit by bit, on a tiny model. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CancelledError, InputError } from "../../src/errors.js";
import type { Device } from "../../src/gpu/device.js";
import { LanguageModel } from "../../src/lm/lm.js";
import type { TextStreamRequest } from "../../src/lm/textStream.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { TINY_LM, tinyLm } from "../helpers/tinyLm.js";
import { draw } from "../reference/draw.js";
import { nucleus } from "../reference/nucleus.js";

const EOS = TINY_LM.speechCodes;
const FILL = EOS + 2;
const NEVER = { [EOS]: -30, [EOS + 1]: -30, [FILL]: -30 };
const TEXT = Array.from({ length: 12 }, (_, i) => i + 1);

describe.each(adapterNames)("a text that streams in on %s", (adapter) => {
  let device: Device;
  const models: LanguageModel[] = [];
  const load = async (bias: Readonly<Record<number, number>>): Promise<LanguageModel> => {
    const lm = await LanguageModel.load(device, tinyLm(bias));
    models.push(lm);
    return lm;
  };
  beforeAll(async () => {
    device = await testDevice(adapter);
  });
  afterAll(() => {
    for (const lm of models) lm.destroy();
  });

  async function runs(lm: LanguageModel, request: Partial<TextStreamRequest>): Promise<number[][]> {
    const all: number[][] = [];
    const whole = { promptTextIds: [], promptSpeechIds: [], text: TEXT, seed: 3, ...request };
    for await (const codes of lm.generateStream(whole)) all.push([...codes]);
    return all;
  }

  test("gives 15 codes for 5 text ids, then speaks on to the bound; the same seed gives the same", async () => {
    const lm = await load(NEVER);
    const all = await runs(lm, { maxRatio: 2 });
    expect(all.slice(0, 2).map(({ length }) => length)).toEqual([15, 15]);
    expect(all.slice(2).flat()).toHaveLength(2 * TEXT.length);
    expect(all.flat().every((code) => code >= 0 && code < EOS)).toBe(true);
    expect(await runs(lm, { maxRatio: 2 })).toEqual(all);
    expect((await runs(lm, { maxRatio: 2, seed: 4 })).flat()).not.toEqual(all.flat());
  });

  test("draws what the plain sampler draws, with the fill ids in its memory", async () => {
    const lm = await load(NEVER);
    const all = await runs(lm, { maxRatio: 1 });
    const recorded = [...(all[0] as number[]), FILL, ...(all[1] as number[]), FILL, ...all.slice(2).flat()];
    const input = { promptTextIds: [], promptSpeechIds: [], text: TEXT };
    const logprobs = await lm.streamLogprobs(input, recorded);
    const { speechRows: vocab, sampling } = TINY_LM;
    const rules = { window: sampling.window, repeats: sampling.window * sampling.tauR, seed: 3, stream: "lm" };
    recorded.forEach((id, step) => {
      if (id === FILL) return;
      const row = logprobs.subarray(step * vocab, (step + 1) * vocab);
      const masking = { firstStop: EOS, maskedStops: 2, minLen: step < 32 ? 1000 : 0, step };
      const candidates = nucleus(row, masking, sampling).ids;
      expect(id, `step ${step}`).toBe(draw(row, candidates, recorded.slice(0, step), masking, rules));
    });
  });

  test("a model that likes to fill gives shorter runs; one that ends at once gives nothing", async () => {
    const filling = await runs(await load({ [FILL]: 30 }), { maxRatio: 1 });
    expect(filling.flat().length).toBeLessThan(30);
    expect(await runs(await load({ [EOS]: 30 }), { text: [1, 2, 3] })).toEqual([]);
  });

  test("a recorded run that does not fit its text is refused", async () => {
    const lm = await load(NEVER);
    const input = { promptTextIds: [], promptSpeechIds: [], text: TEXT };
    await expect(
      lm.streamLogprobs(
        input,
        Array.from({ length: 40 }, () => 1),
      ),
    ).rejects.toThrow(InputError);
  });

  test("stopping early, by a signal or by the caller, frees everything", async () => {
    const lm = await load(NEVER);
    const before = device.memory;
    const controller = new AbortController();
    const cancelled = (async () => {
      for await (const _ of lm.generateStream({
        promptTextIds: [],
        promptSpeechIds: [],
        text: TEXT,
        seed: 1,
        signal: controller.signal,
      }))
        controller.abort();
    })();
    await expect(cancelled).rejects.toThrow(CancelledError);
    for await (const _ of lm.generateStream({ promptTextIds: [], promptSpeechIds: [], text: TEXT, seed: 1 })) break;
    expect(device.memory.buffers).toBe(before.buffers);
    expect(device.memory.live).toBe(before.live);
  });
});
