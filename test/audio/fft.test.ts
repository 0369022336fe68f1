import { expect, test } from "vitest";
import { Fft } from "../../src/audio/fft.js";
import { expectClose } from "../helpers/compare.js";
import { uniform } from "../helpers/random.js";

test.each([1, 2, 13, 16, 60, 77, 1920])("length %d matches the definition, call after call", (size) => {
  const fft = new Fft(size);
  for (const seed of [1, 2]) {
    const signal = Float64Array.from(uniform(seed, size));
    const { re, im } = fft.real(signal);
    const bins = [...new Set([0, 1 % size, size >> 1, size - 1])];
    const sum = (k: number, wave: (angle: number) => number) =>
      signal.reduce((total, v, n) => total + v * wave((2 * Math.PI * ((k * n) % size)) / size), 0);
    expectClose(
      bins.map((k) => re[k] as number),
      bins.map((k) => sum(k, Math.cos)),
      { abs: 1e-10 },
    );
    expectClose(
      bins.map((k) => im[k] as number),
      bins.map((k) => -sum(k, Math.sin)),
      { abs: 1e-10 },
    );
  }
  expect(fft.size).toBe(size);
});
