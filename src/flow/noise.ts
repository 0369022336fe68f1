/**
 * The fixed noise that every utterance starts from: what `torch.randn([1, 80, 15000])` gives on a CPU at seed 0, rebuilt
 * (upstream `CausalConditionalCFM.rand_noise`). Channel c, frame t is value c · 15000 + t, so a longer utterance begins with the
 * same noise as a shorter one.
 */

const MT_WORDS = 624;
const MT_SHIFT = 397;

/** MT19937 (Matsumoto and Nishimura, 1998): 32-bit words. */
function* mersenneTwister(seed: number): Generator<number, never> {
  const state = new Uint32Array(MT_WORDS);
  state[0] = seed;
  for (let i = 1; i < MT_WORDS; i++) {
    const previous = state[i - 1] as number;
    state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
  }
  for (;;) {
    for (let i = 0; i < MT_WORDS; i++) {
      const joined = ((state[i] as number) & 0x80000000) | ((state[(i + 1) % MT_WORDS] as number) & 0x7fffffff);
      state[i] = (state[(i + MT_SHIFT) % MT_WORDS] as number) ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    }
    for (let word of state) {
      word ^= word >>> 11;
      word ^= (word << 7) & 0x9d2c5680;
      word ^= (word << 15) & 0xefc60000;
      yield (word ^ (word >>> 18)) >>> 0;
    }
  }
}

/** torch draws normal numbers in blocks of 16: uniforms j and j + 8 make, by Box and Muller, values j and j + 8. */
const BLOCK = 16;

/**
 * `count` normal numbers as torch's CPU generator draws them; a multiple of 16, since the tail of other counts is drawn anew there.
 * Good to 2e-6: torch's own vectorised log, sine and cosine differ by as much between builds.
 */
export function torchNormal(seed: number, count: number): Float32Array {
  const words = mersenneTwister(seed);
  const out = new Float32Array(Math.ceil(count / BLOCK) * BLOCK);
  for (let i = 0; i < out.length; i++) out[i] = (words.next().value & 0xffffff) / 2 ** 24;
  for (let first = 0; first < out.length; first += BLOCK) {
    for (let j = first; j < first + BLOCK / 2; j++) {
      const radius = Math.sqrt(-2 * Math.log(1 - (out[j] as number)));
      const angle = 2 * Math.PI * (out[j + BLOCK / 2] as number);
      out[j] = radius * Math.cos(angle);
      out[j + BLOCK / 2] = radius * Math.sin(angle);
    }
  }
  return out.subarray(0, count);
}

const tables = new Map<string, Float32Array>();

/** The first `frames` frames of the noise of a table [channels, tableFrames]: [frames, channels]. The table is made once. */
export function flowNoise(channels: number, tableFrames: number, frames: number): Float32Array {
  const key = `${channels} ${tableFrames}`;
  const table = tables.get(key) ?? torchNormal(0, channels * tableFrames);
  tables.set(key, table);
  const out = new Float32Array(frames * channels);
  for (let t = 0; t < frames; t++) {
    for (let c = 0; c < channels; c++) out[t * channels + c] = table[c * tableFrames + t] as number;
  }
  return out;
}
