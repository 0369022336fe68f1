/** WAV files of every kind, also wrong ones, made byte by byte. */
export interface WavParts {
  readonly container?: "RIFF" | "RIFX" | "RF64";
  readonly tag?: number;
  readonly channels?: number;
  readonly sampleRate?: number;
  /** Bytes of one sample of one channel. */
  readonly width?: number;
  readonly bits?: number;
  /** Wraps the tag into an extensible format chunk. */
  readonly extensible?: boolean;
  /** What the data chunk claims to hold; default what it holds. */
  readonly claimed?: number;
  /** What a ds64 chunk of RF64 says of it. */
  readonly longSize?: bigint;
  /** Other chunks before the data. */
  readonly extra?: readonly Uint8Array[];
}

const GUID_TAIL = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

export function wavFile(data: Uint8Array, parts: WavParts = {}): Uint8Array {
  const { container = "RIFF", tag = 1, channels = 1, sampleRate = 16_000, width = 2, extensible = false } = parts;
  const { bits = 8 * width, claimed = data.length, longSize, extra = [] } = parts;
  const little = container !== "RIFX";
  const u16 = (v: number) => (little ? [v & 255, v >> 8] : [v >> 8, v & 255]);
  const u32 = (v: number) => (little ? [...u16(v & 0xffff), ...u16(v >>> 16)] : [...u16(v >>> 16), ...u16(v & 0xffff)]);
  const chunk = (id: string, content: readonly number[]) => [...letters(id), ...u32(content.length), ...content];
  const rest = extensible ? [...u16(22), ...u16(bits), ...u32(0), ...u16(tag), ...GUID_TAIL] : [];
  const format = [
    ...u16(extensible ? 0xfffe : tag),
    ...u16(channels),
    ...u32(sampleRate),
    ...u32((sampleRate * channels * width) >>> 0),
    ...u16((channels * width) & 0xffff),
    ...u16(bits),
    ...rest,
  ];
  const long = longSize === undefined ? [] : chunk("ds64", [...u64(0n), ...u64(longSize), ...u64(0n), 0, 0, 0, 0]);
  const head = [...letters("WAVE"), ...long, ...chunk("fmt ", format), ...extra.flatMap((bytes) => [...bytes])];
  const size = head.length + 8 + data.length;
  return Uint8Array.from([...letters(container), ...u32(size), ...head, ...letters("data"), ...u32(claimed), ...data]);
}

/** Bytes of `values` at full scale ±1, little-endian. */
export function packed(values: readonly number[], width: 1 | 2 | 3 | 4 | 8, float = false): Uint8Array {
  const out = new DataView(new ArrayBuffer(values.length * width));
  for (const [i, v] of values.entries()) {
    if (float && width === 8) out.setFloat64(8 * i, v, true);
    else if (float) out.setFloat32(4 * i, v, true);
    else if (width === 1) out.setUint8(i, 128 + v * 2 ** 7);
    else for (let b = 0; b < width; b++) out.setUint8(width * i + b, Math.floor((v * 2 ** (8 * width - 1)) / 256 ** b));
  }
  return new Uint8Array(out.buffer);
}

/** Samples of `width` bytes in the other byte order. */
export function swapped(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.map((_, i) => bytes[i - (i % width) + (width - 1 - (i % width))] as number);
}

function letters(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

function u64(value: bigint): number[] {
  return Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}
