import { describe, expect, test } from "vitest";
import wavefile from "wavefile";
import { encodeWav } from "../../src/audio/wav.js";
import { InputError } from "../../src/errors.js";

const read = (bytes: Uint8Array) => {
  const file = new wavefile.WaveFile(bytes);
  return {
    fmt: file.fmt as Record<string, number>,
    samples: file.getSamples(false, Float64Array) as unknown as Float64Array,
  };
};

describe("encodeWav", () => {
  test("16 bits: rate, one channel, both full scales, what is louder is cut", () => {
    const { fmt, samples } = read(encodeWav(new Float32Array([0, 1, -1, 2, -3, 0.5]), 24_000));
    expect(fmt).toMatchObject({ audioFormat: 1, numChannels: 1, sampleRate: 24_000, bitsPerSample: 16 });
    expect([...samples]).toEqual([0, 32_767, -32_767, 32_767, -32_767, 16_384]);
  });

  test("32 bits keep every sample as it is", () => {
    const samples = new Float32Array([0, 0.1, -0.999, 1.5]);
    const { fmt, samples: back } = read(encodeWav(samples, 22_050, "32f"));
    expect(fmt).toMatchObject({ audioFormat: 3, sampleRate: 22_050, bitsPerSample: 32 });
    expect(Float32Array.from(back)).toEqual(samples);
  });

  test("no samples give a file with an empty data chunk", () => {
    expect(encodeWav(new Float32Array(), 24_000).length).toBe(44);
  });

  test("refuses what is not finite and rates that are no rates", () => {
    expect(() => encodeWav(new Float32Array([0, Number.NaN]), 24_000)).toThrow(InputError);
    expect(() => encodeWav(new Float32Array(1), 0)).toThrow(InputError);
    expect(() => encodeWav(new Float32Array(1), 1.5)).toThrow(InputError);
  });
});
