/** The telephone's two codings of a sample in 8 bits (ITU-T G.711), each a table of what a byte stands for, full scale being ±1. */

const FULL_SCALE = 2 ** 15;

function table(decode: (byte: number) => number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, byte) => decode(byte) / FULL_SCALE);
}

/** Every other bit is inverted; sign, 3 bits of exponent, 4 of mantissa, the value in the middle of its step. */
export const A_LAW = table((byte) => {
  const code = byte ^ 0x55;
  const exponent = (code >> 4) & 7;
  const step = ((code & 15) << 4) + 8;
  const size = exponent === 0 ? step : (step + 0x100) << (exponent - 1);
  return code & 0x80 ? size : -size;
});

/** All bits are inverted; the same parts, over a bias of 132. */
export const MU_LAW = table((byte) => {
  const code = ~byte & 0xff;
  const size = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132;
  return code & 0x80 ? -size : size;
});
