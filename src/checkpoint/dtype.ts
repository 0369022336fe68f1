/**
 * Element types of checkpoint files and their conversion to the two types the engine keeps: float and half.
 * Multi-byte values are little-endian, in files as on every machine WebGPU runs on.
 */
import { FileError } from "../errors.js";

/** Names as safetensors spells them. */
export type StoredType = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL";

export const BYTES_OF: Readonly<Record<StoredType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** Largest finite half. A float up to 65519.99 rounds down to it, 65520 rounds to infinity. */
export const HALF_MAX = 65504;

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** One IEEE half (as its 16 bits) to a number. */
export function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A float (as its 32 bits) to the nearest half (16 bits), ties to even; too large gives infinity. */
function halfBits(float: number): number {
  const sign = (float >>> 16) & 0x8000;
  const magnitude = float & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above
  if (magnitude >= 0x38800000) {
    // Normal half: re-bias the exponent by 127 - 15 = 112, round the 13 dropped bits to even.
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  }
  if (magnitude < 0x33000000) return sign; // below half of the smallest subnormal, 2^-25
  const exponent = magnitude >>> 23; // 102 .. 112
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - exponent; // 14 .. 24
  const kept = mantissa >>> shift;
  const dropped = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (dropped > half || (dropped === half && kept & 1) ? 1 : 0));
}

/** The nearest half (16 bits) of a number. */
export function numberToHalf(number: number): number {
  value[0] = number;
  return halfBits(bits[0] as number);
}

/** Floats to halves; element by element, ties to even. */
export function toHalf(floats: Float32Array): Uint16Array {
  const words = new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
  const halves = new Uint16Array(floats.length);
  for (let i = 0; i < words.length; i++) halves[i] = halfBits(words[i] as number);
  return halves;
}

let halfTable: Float32Array | undefined;

/** All 65,536 halves as floats, built on first use. */
function halves(): Float32Array {
  halfTable ??= Float32Array.from({ length: 65536 }, (_, half) => halfToNumber(half));
  return halfTable;
}

/** A copy that starts at an address every typed array accepts, unless `bytes` already does. */
export function aligned(bytes: Uint8Array, width: number): Uint8Array {
  return bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
}

/** Stored little-endian bytes to floats. */
export function toFloats(stored: Uint8Array, type: StoredType): Float32Array {
  const bytes = aligned(stored, BYTES_OF[type]);
  const length = bytes.byteLength / BYTES_OF[type];
  const at = [bytes.buffer, bytes.byteOffset, length] as const;
  switch (type) {
    case "F32":
      return new Float32Array(...at);
    case "F64":
      return Float32Array.from(new Float64Array(...at));
    case "F16": {
      const table = halves();
      const words = new Uint16Array(...at);
      const floats = new Float32Array(length);
      for (let i = 0; i < length; i++) floats[i] = table[words[i] as number] as number;
      return floats;
    }
    case "BF16": {
      const words = new Uint16Array(...at);
      const out = new Uint32Array(length);
      for (let i = 0; i < length; i++) out[i] = (words[i] as number) << 16;
      return new Float32Array(out.buffer);
    }
    case "I64":
      return Float32Array.from(new BigInt64Array(...at), Number);
    case "I32":
      return Float32Array.from(new Int32Array(...at));
    case "I16":
      return Float32Array.from(new Int16Array(...at));
    case "I8":
      return Float32Array.from(new Int8Array(...at));
    case "U8":
    case "BOOL":
      return Float32Array.from(bytes);
  }
}

/** Stored integers to 32-bit ones. @throws FileError when a value does not fit. */
export function toInts(stored: Uint8Array, type: "I64" | "I32", name: string): Int32Array {
  const bytes = aligned(stored, BYTES_OF[type]);
  if (type === "I32") return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const wide = new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  return Int32Array.from(wide, (id) => {
    if (BigInt.asIntN(32, id) !== id) throw new FileError(`${name}: ${id} does not fit 32 bits`);
    return Number(id);
  });
}

/** Typed array to its bytes, without copying. */
export function bytesOf(array: Float32Array | Uint16Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Index of the first NaN or infinity, or -1. */
export function firstNotFinite(floats: Float32Array): number {
  for (let i = 0; i < floats.length; i++) if (!Number.isFinite(floats[i])) return i;
  return -1;
}

/** The same for halves given as their bits. */
export function firstHalfNotFinite(words: Uint16Array): number {
  for (let i = 0; i < words.length; i++) if (((words[i] as number) & 0x7c00) === 0x7c00) return i;
  return -1;
}
