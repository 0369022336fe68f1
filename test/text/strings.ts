/** Seeded random strings that hurt tokenizers. */

/** Numbers in [0, 1) from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const WORDS =
  "hello world the it's They'RE don'T I'll we've 'd 'm ' ſ'ſ Straße naïve façade e\u0301 o\u0308 A\u030a\u0301 fi\u200dx".split(
    " ",
  );
const HAN = "你好世界今天气真不错的我们去公园吧中文字符測試龍";
const MARKS = ".。,，!！?？;；:：、“”\"'()（）【】[]<>|/\\-—…`~@#$%^&*_+=";
const BLANKS = [
  " ",
  "  ",
  "\t",
  "\n",
  "\r\n",
  "\r",
  "\u00a0",
  "\u3000",
  "\u2028",
  "\u0085",
  "\ufeff",
  "\u200b",
  "\v",
  "\f",
  "\u001c",
  "\u180e",
];
const CLUSTERS = [
  "👨‍👩‍👧‍👦",
  "🏳️‍🌈",
  "👍🏽",
  "🇨🇳",
  "e\u0327\u0301",
  "한글",
  "\u1112\u1161\u11ab",
  "שלום",
  "مرحبا",
  "\u202eabc\u202c",
  "नमस्ते",
  "สวัสดี",
  "Å",
  "ﬁ",
  "½",
  "²",
  "①",
  "١٢٣",
  "Ω",
  "\u0344",
  "\u2126",
];
const BROKEN = [
  "<|",
  "|>",
  "<|endofprompt",
  "[laughter",
  "<strong",
  "</",
  "<|im_<|im_start|>",
  "[[breath]]",
  "\ud800",
  "\udc00",
  "\udfff\ud800",
  "\u0000",
  "\u0007",
  "\u007f",
  "\uffff",
  "\u{10ffff}",
];
/** Newer than the Unicode of the native tokenizer: letters of version 17, marks that compose only since version 10. */
const NEW = [
  "\u088f",
  "\u{16ea0}",
  "\u{323b0}",
  "\u{11de0}",
  "\u{105d2}\u0307",
  "\u{105c9}",
  "\u{11935}\u{11930}",
  "\u{113c2}\u{113c2}",
  "a\u08d3\u0301",
  "a\u{1e4ec}\u0323",
];

/** `count` strings of up to about 25 pieces each; some hold one of `specials`. */
export function nastyStrings(count: number, seed: number, specials: readonly string[]): string[] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(from: ArrayLike<T>): T => from[below(from.length)] as T;
  const pieces: (() => string)[] = [
    () => pick(WORDS),
    () => ` ${pick(WORDS)}`,
    () => pick(Array.from(HAN)) + pick(Array.from(HAN)),
    () => pick(MARKS),
    () => pick(BLANKS),
    () => pick(BLANKS) + pick(BLANKS),
    () => pick(CLUSTERS),
    () => pick(BROKEN),
    () => pick(NEW),
    () => pick(specials),
    () => String(below(100000)),
    () => String.fromCodePoint(below(0x80)),
    () => String.fromCodePoint(0x80 + below(0x780)),
    () => String.fromCodePoint(0x300 + below(0x70)),
    () => String.fromCharCode(below(0x10000)),
    () => String.fromCodePoint(below(0x20000)),
    () => String.fromCodePoint(below(0x110000)),
    () =>
      pick(["a", " ", "\n", ".", "=", "中", "é", "😀", "\u0301", " .", "a1"]).repeat(
        1 + below(random() < 0.02 ? 3000 : 20),
      ),
  ];
  return Array.from({ length: count }, () => Array.from({ length: 1 + below(25) }, () => pick(pieces)()).join(""));
}
