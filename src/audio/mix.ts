/** Several channels to one. */

/** Where less than this share of the channels' power is left in their sum, they cancel: two copies, one of them inverted. */
const CANCELLED = 0.01;
/** Power that counts: less is the rounding of silence. */
const LEAST_POWER = 1e-9;

export interface Mix {
  readonly samples: Float32Array<ArrayBuffer>;
  /** The channel that is used, where the mean of all would be next to nothing. */
  readonly alone: number | undefined;
}

/**
 * The mean of the channels. Power is counted without the offset, which does not sound: it is that of the sum against that of its parts,
 * 1 for channels that have nothing to do with each other and for one that sounds alone.
 */
export function mix(frames: number, channels: number, read: (frame: number, channel: number) => number): Mix {
  const samples = new Float32Array(frames);
  // Of each channel, and at the end of their sum.
  const [sums, squares] = [new Float64Array(channels + 1), new Float64Array(channels + 1)] as const;
  const count = (at: number, value: number) => {
    sums[at] = (sums[at] as number) + value;
    squares[at] = (squares[at] as number) + value * value;
  };
  for (let i = 0; i < frames; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) {
      const value = read(i, channel);
      count(channel, value);
      sum += value;
    }
    count(channels, sum);
    samples[i] = sum / channels;
  }
  const powers = Array.from(squares, (square, at) => square / frames - ((sums[at] as number) / frames) ** 2);
  const left = powers.pop() ?? 0;
  const all = powers.reduce((total, power) => total + power, 0);
  if (!(channels > 1 && all > LEAST_POWER && left < CANCELLED * all)) return { samples, alone: undefined };
  // The first of those that sound.
  const loudest = Math.max(...powers);
  const alone = powers.findIndex((power) => power >= loudest / 2);
  return { samples: samples.map((_, i) => read(i, alone)), alone };
}
