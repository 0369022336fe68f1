/**
 * Discrete Fourier transform of any length, fast where the length has small prime factors (1920 = 2⁷ · 3 · 5): Stockham's
 * self-sorting form, one pass for each factor.
 */
export class Fft {
  private readonly factors: readonly number[];
  private readonly cosines: Float64Array; // [size]
  private readonly sines: Float64Array; // [size]
  /** The signal and its transform, alternating between the two pairs. */
  private buffers: [Float64Array, Float64Array, Float64Array, Float64Array];

  constructor(readonly size: number) {
    this.factors = primeFactors(size);
    this.cosines = Float64Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.sines = Float64Array.from({ length: size }, (_, i) => -Math.sin((2 * Math.PI * i) / size));
    const buffer = () => new Float64Array(size);
    this.buffers = [buffer(), buffer(), buffer(), buffer()];
  }

  /** Transform of a real signal [size]. The arrays [size] are reused by the next call. */
  real(signal: Float64Array): { readonly re: Float64Array; readonly im: Float64Array } {
    let [re, im, nextRe, nextIm] = this.buffers;
    re.set(signal);
    im.fill(0);
    let stride = 1; // product of the factors that are done
    for (const factor of this.factors) {
      const groups = this.size / stride / factor;
      for (let p = 0; p < groups; p++) {
        for (let j = 0; j < factor; j++) {
          for (let q = 0; q < stride; q++) {
            let sumRe = 0;
            let sumIm = 0;
            for (let i = 0; i < factor; i++) {
              const at = q + stride * (p + groups * i);
              const turn = ((i * groups + p) * j * stride) % this.size;
              const c = this.cosines[turn] as number;
              const s = this.sines[turn] as number;
              sumRe += (re[at] as number) * c - (im[at] as number) * s;
              sumIm += (re[at] as number) * s + (im[at] as number) * c;
            }
            const to = q + stride * (factor * p + j);
            nextRe[to] = sumRe;
            nextIm[to] = sumIm;
          }
        }
      }
      [re, im, nextRe, nextIm] = [nextRe, nextIm, re, im];
      stride *= factor;
    }
    this.buffers = [re, im, nextRe, nextIm];
    return { re, im };
  }
}

function primeFactors(size: number): number[] {
  const factors: number[] = [];
  let rest = size;
  for (let factor = 2; rest > 1; factor++) {
    for (; rest % factor === 0; rest /= factor) factors.push(factor);
  }
  return factors;
}
