/**
 * The few facts about Unicode on which the official front end depends and a JavaScript engine disagrees: Python's idea of
 * blanks and digits, and the Unicode versions of the native tokenizer. The tables are complete; they need no update.
 */

/** What Python's `str.isspace` accepts: unlike `String.trim` with U+001C..U+001F and U+0085, and without U+FEFF. */
const PYTHON_BLANK = new Set(
  "\t\n\v\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

/** Python's `str.strip`. */
export function strip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && PYTHON_BLANK.has(text.charAt(start))) start++;
  while (end > start && PYTHON_BLANK.has(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

/** Numeric_Type=Digit (superscripts, circled digits and so on): digits to Python's `str.isdigit`, but without a decimal value. */
const VALUELESS_DIGITS =
  "\u00b2\u00b3\u00b9\u1369-\u1371\u19da\u2070\u2074-\u2079\u2080-\u2089\u2460-\u2468\u2474-\u247c\u2488-\u2490\u24ea\u24f5-\u24fd\u24ff" +
  "\u2776-\u277e\u2780-\u2788\u278a-\u2792\u{10a40}-\u{10a43}\u{10e60}-\u{10e68}\u{11052}-\u{1105a}\u{1f100}-\u{1f10a}";

/** Maximal runs of characters for which Python's `str.isdigit` is true. Use with `replace`, which resets the position. */
export const PYTHON_DIGITS = new RegExp(`[\\p{Nd}${VALUELESS_DIGITS}]+`, "gu");

/** Python's `str.isdigit`. */
export function isPythonDigits(text: string): boolean {
  return text !== "" && text.replace(PYTHON_DIGITS, "") === "";
}

const DECIMAL = /^\p{Nd}$/u;

/** Value of a decimal digit of any script, or undefined. Unicode encodes every set of ten in order from zero. */
export function decimalValue(digit: string): number | undefined {
  if (!DECIMAL.test(digit)) return undefined;
  const code = digit.codePointAt(0) ?? 0;
  let first = code;
  while (DECIMAL.test(String.fromCodePoint(first - 1))) first--;
  return (code - first) % 10;
}

/** Number of Unicode scalar values, Python's `len`. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** The text with every lone surrogate replaced by U+FFFD, as it arrives in any UTF-8 program. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/**
 * Letters (as the inside of a character class) that Unicode 17 added. The native tokenizer classifies by Unicode 16, where
 * they are unassigned; an engine of either version gives the same pieces when they are named.
 */
export const LETTERS_AFTER_UNICODE_16 =
  "\\u088f\\u0c5c\\u0cdc\\ua7ce-\\ua7cf\\ua7d2\\ua7d4\\ua7f1\\u{10940}-\\u{10959}\\u{10ec5}-\\u{10ec7}\\u{11db0}-\\u{11ddb}\\u{11de0}-\\u{11de9}" +
  "\\u{16ea0}-\\u{16eb8}\\u{16ebb}-\\u{16ed3}\\u{16ff2}-\\u{16ff6}\\u{187f8}-\\u{187ff}\\u{18d09}-\\u{18d1e}\\u{18d80}-\\u{18df2}" +
  "\\u{1e6c0}-\\u{1e6de}\\u{1e6e0}-\\u{1e6e2}\\u{1e6e4}-\\u{1e6e5}\\u{1e6e7}-\\u{1e6ed}\\u{1e6f0}-\\u{1e6f4}\\u{1e6fe}-\\u{1e6ff}" +
  "\\u{2b73a}-\\u{2b73f}\\u{2cea2}-\\u{2cead}\\u{323b0}-\\u{33479}";

/**
 * Characters that compose or reorder in today's Unicode but not in the tables of the native tokenizer, which stop at about
 * version 9. To those tables each is an inert starter: nothing composes with it or moves across it.
 */
const INERT_TO_NATIVE_NFC = new RegExp(
  "([" +
    "\\u07fd\\u0897-\\u089f\\u08ca-\\u08d3\\u09fe\\u0c3c\\u0d3b-\\u0d3c\\u0eba\\u1715\\u1abf-\\u1add" +
    "\\u1ae0-\\u1aeb\\u1df6-\\u1dfa\\ua82c\\u{105c9}\\u{105d2}\\u{105da}\\u{105e4}\\u{10d24}-\\u{10d27}" +
    "\\u{10d69}-\\u{10d6d}\\u{10eab}-\\u{10eac}\\u{10efa}-\\u{10efb}\\u{10efd}-\\u{10eff}" +
    "\\u{10f46}-\\u{10f50}\\u{10f82}-\\u{10f85}\\u{11070}\\u{1133b}\\u{11382}-\\u{11385}\\u{1138b}\\u{1138e}" +
    "\\u{11390}-\\u{11391}\\u{113b8}\\u{113bb}\\u{113c2}\\u{113c5}\\u{113c7}-\\u{113c9}\\u{113ce}-\\u{113d0}" +
    "\\u{1145e}\\u{11839}-\\u{1183a}\\u{11930}\\u{11935}\\u{11938}\\u{1193d}-\\u{1193e}\\u{11943}\\u{119e0}" +
    "\\u{11a34}\\u{11a47}\\u{11a99}\\u{11d42}\\u{11d44}-\\u{11d45}\\u{11d97}\\u{11f41}-\\u{11f42}" +
    "\\u{1611e}-\\u{16129}\\u{1612f}\\u{16d63}\\u{16d67}-\\u{16d6a}\\u{16ff0}-\\u{16ff1}\\u{1e08f}" +
    "\\u{1e130}-\\u{1e136}\\u{1e2ae}\\u{1e2ec}-\\u{1e2ef}\\u{1e4ec}-\\u{1e4ef}\\u{1e5ee}-\\u{1e5ef}\\u{1e6e3}" +
    "\\u{1e6e6}\\u{1e6ee}-\\u{1e6ef}\\u{1e6f5}" +
    "])",
  "u",
);

/** NFC by the tables of the native tokenizer: the text is composed piecewise between the characters those do not know. */
export function nativeNfc(text: string): string {
  const composed = text.normalize("NFC");
  if (composed === text && !INERT_TO_NATIVE_NFC.test(text)) return text;
  return text
    .split(INERT_TO_NATIVE_NFC)
    .map((part, index) => (index % 2 === 1 ? part : part.normalize("NFC")))
    .join("");
}
