/** exp and sin of the network's output, inverse transform of every frame, window, overlap-add, division by the envelope, clamp. */
export function istft(x: Float32Array, size: number, hop: number, limit: number): Float64Array {
  const bins = size / 2 + 1;
  const frames = x.length / (2 * bins);
  const sum = new Float64Array((frames - 1) * hop + size);
  const envelope = new Float64Array(sum.length);
  for (let f = 0; f < frames; f++) {
    for (let n = 0; n < size; n++) {
      const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size);
      let y = 0;
      for (let k = 0; k < bins; k++) {
        const magnitude = Math.min(Math.exp(x[f * 2 * bins + k] as number), 100);
        const phase = Math.sin(x[f * 2 * bins + bins + k] as number);
        const angle = (2 * Math.PI * k * n) / size;
        const edge = k === 0 || k === bins - 1;
        const re = magnitude * Math.cos(phase);
        const im = edge ? 0 : magnitude * Math.sin(phase);
        y += ((edge ? 1 : 2) * (re * Math.cos(angle) - im * Math.sin(angle))) / size;
      }
      sum[f * hop + n] = (sum[f * hop + n] as number) + y * window;
      envelope[f * hop + n] = (envelope[f * hop + n] as number) + window * window;
    }
  }
  return Float64Array.from({ length: (frames - 1) * hop }, (_, t) => {
    const at = t + size / 2;
    return Math.max(-limit, Math.min(limit, (sum[at] as number) / (envelope[at] as number)));
  });
}
