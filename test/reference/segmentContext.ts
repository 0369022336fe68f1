/** out[s, c] = mean of channel c + its mean over the frames of segment s; the last segment may be shorter */
export function segmentContext(x: Float32Array, frames: number, segment: number): Float64Array {
  const width = x.length / frames;
  const mean = (c: number, from: number, to: number): number => {
    let sum = 0;
    for (let t = from; t < to; t++) sum += x[t * width + c] as number;
    return sum / (to - from);
  };
  return Float64Array.from({ length: Math.ceil(frames / segment) * width }, (_, i) => {
    const [s, c] = [Math.floor(i / width), i % width];
    return mean(c, 0, frames) + mean(c, s * segment, Math.min((s + 1) * segment, frames));
  });
}
