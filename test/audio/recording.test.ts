import { describe, expect, test } from "vitest";
import { doubts, prepareRecording } from "../../src/audio/recording.js";
import { resample } from "../../src/audio/resample.js";
import { cleanUp } from "../../src/audio/trim.js";
import { InputError } from "../../src/errors.js";
import { expectClose } from "../helpers/compare.js";
import { uniform } from "../helpers/random.js";

const OPTIONS = { name: "voice.wav", sampleRate: 24_000 };
const tone = (length: number, rate: number, level = 0.5) =>
  Float32Array.from({ length }, (_, n) => level * Math.sin((2 * Math.PI * 300 * n) / rate));

describe("prepareRecording", () => {
  test("makes both rates from the recording itself", () => {
    const samples = uniform(1, 22_050, -0.3, 0.3);
    const made = prepareRecording({ samples, sampleRate: 44_100 }, OPTIONS);
    expectClose(made.samples16k, resample(samples, 44_100, 16_000), {});
    expectClose(made.samples, resample(samples, 44_100, 24_000), {});
    expect(made.seconds).toBe(0.5);
  });

  test("trimmed, the model's rate comes from the trimmed 16 kHz", () => {
    const samples = Float32Array.from([...new Float32Array(8000), ...tone(16_000, 16_000), ...new Float32Array(8000)]);
    const made = prepareRecording({ samples, sampleRate: 16_000 }, { ...OPTIONS, trim: true });
    expectClose(made.samples16k, cleanUp(samples, 4800), {});
    expectClose(made.samples, resample(made.samples16k, 16_000, 24_000), {});
    expect(made.seconds).toBe(made.samples16k.length / 16_000);
  });

  test("16 kHz and 30 s are just enough, 0.1 s too", () => {
    expect(prepareRecording({ samples: tone(480_000, 16_000), sampleRate: 16_000 }, OPTIONS).seconds).toBe(30);
    expect(prepareRecording({ samples: tone(1600, 16_000), sampleRate: 16_000 }, OPTIONS).samples.length).toBe(2400);
    const long = { samples: tone(480_001, 16_000), sampleRate: 16_000 };
    expect(prepareRecording(long, { ...OPTIONS, maxSeconds: 60 }).samples16k.length).toBe(480_001);
  });

  const refused: readonly (readonly [string, Float32Array, number, string])[] = [
    ["a telephone", tone(8000, 8000), 8000, "a sample rate of 8000 Hz, at least 16000 is needed"],
    ["a lecture", tone(480_001, 16_000), 16_000, "30.0 s of sound, at most 30 s"],
    ["a click", tone(480, 48_000), 48_000, "10.0 ms of sound, at least 0.1 s is needed"],
    ["nothing", new Float32Array(), 16_000, "0.0 ms of sound"],
    ["silence", new Float32Array(16_000), 16_000, "silence (no sample is louder than 0.0e+0)"],
    ["faint noise on an offset", uniform(2, 16_000, 0.4999, 0.5001), 16_000, "silence"],
    ["not a number", tone(16_000, 16_000).fill(Number.NaN, 7, 8), 16_000, "sample 7 is NaN"],
    ["no rate", tone(16_000, 16_000), Number.NaN, "a sample rate of NaN Hz"],
  ];
  test.each(refused)("refuses %s in one line", (_, samples, sampleRate, message) => {
    const prepare = () => prepareRecording({ samples, sampleRate }, OPTIONS);
    expect(prepare).toThrow(InputError);
    expect(prepare).toThrow(message);
    expect(prepare).toThrow(/^voice\.wav: [^\n]+$/);
  });
});

test("a voice is best made of 3 to 10 s, and what is doubtful about the sound comes first", () => {
  const of = (seconds: number) => ({ samples: new Float32Array(16_000 * seconds), sampleRate: 16_000 });
  for (const seconds of [3, 5.5, 10]) expect(doubts(of(seconds), "a.wav")).toEqual([]);
  expect(doubts(of(1.5), "a.wav")).toEqual([
    "a.wav: 1.5 s of sound, 3 to 10 s are best; a longer one says more of the voice",
  ]);
  expect(doubts({ ...of(29), warnings: ["odd"] }, "a.wav")).toEqual([
    "odd",
    "a.wav: 29.0 s of sound, 3 to 10 s are best; cut out the best of it",
  ]);
});

describe("cleanUp", () => {
  test("keeps whole frames of 220 from the first that sounds to the last, and appends the tail", () => {
    const signal = Float32Array.from([...new Float32Array(2200), ...tone(2200, 16_000), ...new Float32Array(2200)]);
    // The frames centred on 2200 and 4400 reach half into the tone, the ones before and after only touch it.
    const out = cleanUp(signal, 100);
    expect(out.length).toBe(4620 - 2200 + 100);
    expectClose(out.subarray(0, 2420), signal.subarray(2200, 4620), {});
    expect(out.subarray(2420)).toEqual(new Float32Array(100));
  });

  // The first frame is half outside the signal and so 3 dB quieter.
  test("60 dB count from the loudest frame", () => {
    const faint = (level: number) => Float32Array.from([...tone(4400, 16_000, level), ...tone(4400, 16_000)]);
    expect(cleanUp(faint(0.5 * 10 ** (-56 / 20)), 0).length).toBe(8800);
    expect(cleanUp(faint(0.5 * 10 ** (-64 / 20)), 0).length).toBeLessThanOrEqual(4400 + 220);
  });

  test("brings a peak over 0.8 down, and leaves others alone", () => {
    const loud = tone(4000, 16_000, 1);
    expectClose(
      cleanUp(loud, 0),
      loud.map((v) => 0.8 * v),
      { abs: 1e-6 },
    );
    expectClose(cleanUp(tone(4000, 16_000, 0.7), 0), tone(4000, 16_000, 0.7), {});
  });

  test("pure silence stays, nothing stays nothing", () => {
    expect(cleanUp(new Float32Array(), 5)).toEqual(new Float32Array(5));
    expect(cleanUp(new Float32Array(1000), 5)).toEqual(new Float32Array(1005));
  });
});
