/** What the flow promises beyond its numbers: streaming, errors, cancelling, calls at once. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openFolder } from "#platform";
import { openModel } from "../../src/checkpoint/model.js";
import { CancelledError, InputError } from "../../src/errors.js";
import { Flow, type FlowInput } from "../../src/flow/flow.js";
import type { Device } from "../../src/gpu/device.js";
import { BUNDLES } from "../helpers/bundles.js";
import { expectClose } from "../helpers/compare.js";
import { adapterNames, testDevice } from "../helpers/device.js";
import { uniform } from "../helpers/random.js";

const [bundle] = BUNDLES;

// What follows does not depend on the adapter: the parity test runs on all.
describe.each(adapterNames.slice(0, 1))("flow on %s", (adapter) => {
  let device: Device;
  let flow: Flow;
  let idle: number;

  beforeAll(async () => {
    device = await testDevice(adapter);
    const model = await openModel(await openFolder(`${bundle?.path}/model`), { dtype: "f32" });
    flow = await Flow.load(device, model);
    idle = device.memory.buffers;
    await model.close();
  });
  afterAll(() => flow.destroy());

  /** An utterance of `count` tokens after a prompt of `prompt`. */
  function utterance(count: number, prompt = 0, changes: Partial<FlowInput> = {}): FlowInput {
    const { codes, melBins, speakerWidth } = flow.config;
    const ids = (length: number, factor: number) => Int32Array.from({ length }, (_, i) => (factor * i + 13) % codes);
    return {
      token: ids(count, 977),
      promptToken: ids(prompt, 31),
      promptFeat: uniform(1, prompt * flow.tokenMelRatio * melBins),
      embedding: uniform(2, speakerWidth),
      streaming: false,
      finalize: true,
      ...changes,
    };
  }

  test("frames of finished chunks stay when tokens are appended in streaming", async () => {
    const { chunk, lookahead } = flow.config;
    const prompt = 7;
    const streamed = { streaming: true, finalize: false };
    const short = await flow.run(utterance(chunk - prompt + lookahead, prompt, streamed));
    const long = await flow.run(utterance(2 * chunk - prompt + lookahead, prompt, streamed));
    const last = await flow.run(utterance(2 * chunk - prompt + lookahead, prompt, { streaming: true }));
    expect(short.mel.length).toBe((chunk - prompt) * flow.tokenMelRatio * flow.config.melBins);
    expectClose(long.mel.subarray(0, short.mel.length), short.mel, { abs: 1e-5 });
    expectClose(last.mel.subarray(0, long.mel.length), long.mel, { abs: 1e-5 });
    // Full attention sees the future, so its frames are others.
    const full = await flow.run(utterance(2 * chunk - prompt + lookahead, prompt));
    const apart = full.mel.reduce((most, v, i) => Math.max(most, Math.abs(v - (last.mel[i] as number))), 0);
    expect(apart).toBeGreaterThan(1e-2);
  });

  test("what a prompt's mel lacks of its tokens comes out as new frames", async () => {
    const { melBins } = flow.config;
    const whole = utterance(4, 3);
    const frames = whole.promptFeat.length / melBins;
    const short = await flow.run({ ...whole, promptFeat: whole.promptFeat.subarray(0, (frames - 1) * melBins) });
    expect(short.mel.length).toBe((await flow.run(whole)).mel.length + melBins);
    const two = new Float32Array((frames + flow.tokenMelRatio) * melBins);
    await expect(flow.run({ ...whole, promptFeat: two })).rejects.toThrow("for 3 prompt tokens, which need");
  });

  test("says what breaks a rule", async () => {
    const { codes, lookahead, solver } = flow.config;
    const tooLong = Math.ceil((solver.noiseFrames + 1) / flow.tokenMelRatio);
    const cases: [FlowInput, RegExp][] = [
      [utterance(0), /token: there are 0 speech tokens, at least 1/],
      [utterance(lookahead, 0, { finalize: false }), new RegExp(`at least ${lookahead + 1} are needed`)],
      [utterance(2, 0, { token: Int32Array.of(0, codes) }), new RegExp(`token\\[1\\] is ${codes}`)],
      [utterance(2, 1, { promptToken: Int32Array.of(-1) }), /promptToken\[0\] is -1/],
      [utterance(2, 1, { promptFeat: new Float32Array(3) }), /promptFeat: 3 values for 1 prompt tokens/],
      [utterance(2, 0, { embedding: new Float32Array(5) }), /embedding: 5 values/],
      [utterance(tooLong), /at most 300\.0 s/],
    ];
    for (const [input, message] of cases) {
      const failure = await flow.run(input).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(InputError);
      expect((failure as Error).message).toMatch(message);
    }
    await expect(flow.mask(0, 1)).rejects.toThrow(InputError);
    expect(() => flow.noise(solver.noiseFrames + 1)).toThrow(InputError);
  });

  test("a cancelled call stops between steps and frees all it made", async () => {
    const stop = new AbortController();
    let steps = 0;
    const onStep = (): void => {
      steps++;
      stop.abort();
    };
    await expect(flow.run(utterance(5, 0, { signal: stop.signal, onStep }))).rejects.toThrow(CancelledError);
    expect(steps).toBe(1);
    expect(device.memory.buffers).toBe(idle);
  });

  test("calls at once give what they give one after the other, and a length again makes no new buffer", async () => {
    const first = await flow.run(utterance(6));
    const buffers = device.memory.buffers;
    const again = await flow.run(utterance(6));
    expect(device.memory.buffers).toBe(buffers);
    expect(again.mel).toEqual(first.mel);
    const second = await flow.run(utterance(4, 2));
    const both = await Promise.all([flow.run(utterance(6)), flow.run(utterance(4, 2))]);
    expect(both[0].mel).toEqual(first.mel);
    expect(both[1].mel).toEqual(second.mel);
  });
});
