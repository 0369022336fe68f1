/** Windowed transform (periodic Hann) of the reflect-padded signal, straight from its definition: real parts, then imaginary parts. */
export function stft(x: Float32Array, size: number, hop: number): Float64Array {
  const bins = size / 2 + 1;
  const frames = Math.floor(x.length / hop) + 1;
  const out = new Float64Array(frames * 2 * bins);
  for (let f = 0; f < frames; f++) {
    for (let k = 0; k < bins; k++) {
      for (let n = 0; n < size; n++) {
        let i = f * hop + n - size / 2;
        if (i < 0) i = -i;
        if (i >= x.length) i = 2 * (x.length - 1) - i;
        const v = (x[i] as number) * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
        const angle = (2 * Math.PI * k * n) / size;
        out[f * 2 * bins + k] = (out[f * 2 * bins + k] as number) + v * Math.cos(angle);
        out[f * 2 * bins + bins + k] = (out[f * 2 * bins + bins + k] as number) - v * Math.sin(angle);
      }
    }
  }
  return out;
}
