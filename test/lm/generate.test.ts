/** What the loop of an utterance promises, on a model of a few thousand weights. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CancelledError, DeviceError, InputError } from "../../src/errors.js";
import type { Device } from "../../src/gpu/device.js";
import { LanguageModel, type LmOptions } from "../../src/lm/lm.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { TINY_LM, tinyLm } from "../helpers/tinyLm.js";
import { draw } from "../reference/draw.js";
import { nucleus } from "../reference/nucleus.js";

const TEXT = [3, 1, 4, 1, 5];
const PROMPT = [9, 2, 6, 5];
const [EOS, FILL] = [TINY_LM.speechCodes, TINY_LM.speechCodes + 2];

describe.each(adapterNames)("generate on %s", (adapter) => {
  let device: Device;
  let lm: LanguageModel;
  const loaded: LanguageModel[] = [];
  const load = async (bias: Record<number, number> = {}, options: LmOptions = {}) => {
    const model = await LanguageModel.load(device, tinyLm(bias), options);
    loaded.push(model);
    return model;
  };

  beforeAll(async () => {
    device = await testDevice(adapter);
    // Stop ids are unlikely, so that lengths are what the test asks for.
    lm = await load({ [EOS]: -20, [EOS + 1]: -20, [FILL]: -20 });
  });
  afterAll(() => {
    for (const model of loaded) model.destroy();
    expect(device.memory.buffers).toBe(0);
  });

  test("draws what the plain sampler draws from the model's own distributions", async () => {
    const request = { textIds: TEXT, promptSpeechIds: PROMPT, seed: 2 ** 40 + 7, maxLen: 30 };
    const { tokens, stop } = await lm.generate(request);
    expect([tokens.length, stop]).toEqual([30, "length"]);
    const logprobs = await lm.logprobs(TEXT, PROMPT, tokens);
    const { speechRows: vocab, sampling, minRatio } = TINY_LM;
    tokens.forEach((token, step) => {
      const row = logprobs.subarray(step * vocab, (step + 1) * vocab);
      const masking = { firstStop: EOS, maskedStops: 3, minLen: minRatio * TEXT.length, step };
      const rules = {
        window: sampling.window,
        repeats: sampling.window * sampling.tauR,
        seed: request.seed,
        stream: "lm",
      };
      const candidates = nucleus(row, masking, sampling).ids;
      expect(token, `step ${step}`).toBe(draw(row, candidates, [...tokens.subarray(0, step)], masking, rules));
    });
  });

  test("the same seed gives the same tokens, another seed or stream others; two calls at once do not mix", async () => {
    const run = (seed: number, stream = "lm") => lm.generate({ textIds: TEXT, seed, stream, maxLen: 20 });
    const one = await run(1);
    const [again, other] = await Promise.all([run(1), run(2)]);
    expect([...again.tokens]).toEqual([...one.tokens]);
    expect([...other.tokens]).not.toEqual([...one.tokens]);
    expect([...(await run(2)).tokens]).toEqual([...other.tokens]);
    expect([...(await run(1, "second")).tokens]).not.toEqual([...one.tokens]);
  });

  test("hands tokens over in order, once, and counts its work", async () => {
    const seen: number[] = [];
    const request = { textIds: TEXT, seed: 3, minRatio: 9, maxRatio: 9, onTokens: (t: Int32Array) => seen.push(...t) };
    const { tokens, stats } = await lm.generate(request);
    expect(tokens).toHaveLength(45);
    expect(seen).toEqual([...tokens]);
    expect(stats).toMatchObject({
      tokens: 45,
      dispatchesPerToken: 5 * TINY_LM.layers + 4,
      submits: 1 + Math.ceil(44 / 8),
    });
  });

  test("stops at stop ids, but not before the least length", async () => {
    const eager = await load({ [EOS]: 30 });
    expect(await eager.generate({ textIds: TEXT, seed: 1 })).toMatchObject({ stop: "eos", stats: { tokens: 10 } });
    expect(await eager.generate({ textIds: TEXT, seed: 1, minRatio: 0 })).toMatchObject({
      stop: "eos",
      stats: { tokens: 0 },
    });
    const filling = await load({ [FILL]: 30 });
    expect(await filling.generate({ textIds: TEXT, seed: 1 })).toMatchObject({ stop: "fill", stats: { tokens: 10 } });
    const official = await filling.generate({ textIds: TEXT, seed: 1, compatOfficial: true });
    expect(official).toMatchObject({ stop: "fill", stats: { tokens: 0 } });
  });

  test("an empty text gives no tokens", async () => {
    expect(await lm.generate({ textIds: [], seed: 1 })).toMatchObject({ stop: "length", stats: { tokens: 0 } });
  });

  test("greedy equals the arg-max of forced decoding", async () => {
    const { tokens } = await lm.generate({ textIds: TEXT, seed: 1, greedy: true, maxLen: 12 });
    const { ids, margins } = await lm.greedy(TEXT, [], 12);
    expect([...ids]).toEqual([...tokens]);
    const logprobs = await lm.logprobs(TEXT, [], ids);
    ids.forEach((id, step) => {
      const row = logprobs.subarray(step * TINY_LM.speechRows, step * TINY_LM.speechRows + EOS);
      const [best = 0, second = 0] = [...row].sort((a, b) => b - a);
      expect(row[id]).toBe(best);
      expect(margins[step]).toBeCloseTo(best - second, 5);
    });
  });

  test("a cache of tiny segments, prompts in pieces and one long prefill give the same distributions", async () => {
    const bias = { [EOS]: -20, [EOS + 1]: -20, [FILL]: -20 };
    const small = await load(bias, { smallestSegment: 4, prefillRows: 3, tokensPerSubmit: 2 });
    const forced = Array.from({ length: 40 }, (_, i) => (7 * i + 3) % TINY_LM.speechCodes);
    const want = await lm.logprobs(TEXT, PROMPT, forced);
    const close = { abs: 2e-5 };
    expectClose(await small.logprobs(TEXT, PROMPT, forced), want, close, [41, TINY_LM.speechRows], ["step", "id"]);
    const last = await lm.logprobs(TEXT, [...PROMPT, ...forced], []);
    expectClose(last, want.subarray(40 * TINY_LM.speechRows), close);
    const request = { textIds: TEXT, promptSpeechIds: PROMPT, seed: 5, maxLen: 50 };
    expect([...(await small.generate(request)).tokens]).toEqual([...(await lm.generate(request)).tokens]);
  });

  test("fills its cache to the last position", async () => {
    const small = await load({ [EOS]: -20, [EOS + 1]: -20, [FILL]: -20 }, { smallestSegment: 4 });
    // Begin, text, task: 7 positions; the last token is not read. Segments of 4, 4, 8 and 16 hold 32.
    const request = { textIds: TEXT, seed: 5, minRatio: 0, maxRatio: 100 };
    for (const maxLen of [25, 26, 27]) {
      expect((await small.generate({ ...request, maxLen })).tokens).toHaveLength(maxLen);
    }
  });

  test("decoding makes no buffer, no pipeline and no bind group", async () => {
    const { gpu } = device;
    const makers = (
      ["createBuffer", "createBindGroup", "createComputePipelineAsync", "createShaderModule"] as const
    ).map((name) => vi.spyOn(gpu, name));
    const made = () => makers.reduce((sum, maker) => sum + maker.mock.calls.length, 0);
    const counts: number[] = [];
    await lm.generate({ textIds: TEXT, seed: 3, maxLen: 60, onTokens: () => counts.push(made()) });
    for (const maker of makers) maker.mockRestore();
    expect(counts.length).toBeGreaterThan(5);
    expect(new Set(counts).size).toBe(1);
  });

  test("a cancelled call frees what it held", async () => {
    const before = device.memory;
    const aborted = AbortSignal.abort();
    await expect(lm.generate({ textIds: TEXT, seed: 1, signal: aborted })).rejects.toThrow(CancelledError);
    const controller = new AbortController();
    const request = {
      textIds: TEXT,
      seed: 1,
      maxLen: 90,
      signal: controller.signal,
      onTokens: () => controller.abort(),
    };
    await expect(lm.generate(request)).rejects.toThrow(CancelledError);
    expect(device.memory).toMatchObject({ live: before.live, buffers: before.buffers });
    expect((await lm.generate({ textIds: TEXT, seed: 1, maxLen: 4 })).tokens).toHaveLength(4);
  });

  test("refuses ids and lengths the model has not, and logits that are no numbers", async () => {
    const before = device.memory.buffers;
    const seed = 1;
    await expect(lm.generate({ textIds: [30], seed })).rejects.toThrow(/text id 0 is 30; the model has ids 0 to 29/);
    await expect(lm.generate({ textIds: [1], promptSpeechIds: [-1], seed })).rejects.toThrow(InputError);
    await expect(lm.generate({ textIds: new Array(100).fill(1), seed })).rejects.toThrow(/leave 99 of 200 positions/);
    await expect(lm.generate({ textIds: TEXT, seed: -1 })).rejects.toThrow(InputError);
    await expect(lm.logprobs(new Array(190).fill(1), [], new Array(20).fill(1))).rejects.toThrow(/the model has 200/);
    expect(device.memory.buffers).toBe(before);
    const broken = await load({ 4: Number.NaN });
    await expect(broken.generate({ textIds: TEXT, seed })).rejects.toThrow(DeviceError);
  });
});
