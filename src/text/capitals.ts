/**
 * Capitals, for a model that learned from ordinary sentences: words in capitals become small ones, and what is no word is spelled.
 * English.
 */
import { english } from "./numbers.js";

/** Spoken as words, though written in capitals. */
const NAMES = new Set(
  "NASA NATO UNESCO UNICEF OPEC OSHA FIFA UEFA FEMA NAFTA ASEAN COVID AIDS SARS IKEA LEGO LASER RADAR SCUBA SONAR ASAP RAM ROM PIN SIM VIN GIF JPEG WIFI ASCII BASIC COBOL CAPTCHA SWAT NORAD DARPA GAAP RICO MIDI CAD CAM LAN WAN VAT ZIP".split(
    " ",
  ),
);

/** Spelled, though their vowels would let them pass for words. */
const SPELLED = new Set(
  "USDA USAF NCAA UCLA ISBN HDMI IEEE ACLU NAACP YMCA AARP ECG EEG IBAN IUPAC HIV AIPAC EPA FAQ UFO CEO CFO CTO COO CIA FBI IRS IBM UK UN EU UAE USA USB URL API APP GPU CPU TPU IOT AWS IP IQ ID ATM ADHD DIY DUI FDA FAA GDP GPA ETA RIP VIP AI AR".split(
    " ",
  ),
);

/** Short words that stand in capitals for emphasis alone. */
const SHORT = new Set(
  "A I AN AS AT BE BY DO GO HE IF IN IS ME MY NO OF OH OK ON OR SO TO UP WE ALL AND ANY ARE BAD BIG BUT BUY BYE CAN CAR CAT DAD DAY DID DOG EAT END FAR FEW FOR FUN GET GOT GUY HAD HAS HER HEY HIM HIS HOT HOW ITS JOB KEY LET LOT LOW MAN MAY MEN MOM NEW NOT NOW ODD OFF OLD ONE OUR OUT OWN PAY PUT RED RUN SAD SAW SAY SEE SET SHE SIT SIX SON SUN TEN THE TOO TOP TRY TWO USE VERY WAR WAS WAY WET WHO WHY WIN WON YES YET YOU".split(
    " ",
  ),
);

/** Read as words only where everything is in capitals; else "US" is a country and "AM" a time. */
const SHORT_AMONG_CAPITALS = new Set("AM IT US PM AD".split(" "));

const ROMAN = new Map(
  "II III IV VI VII VIII IX XI XII XIII XIV XV XVI XVII XVIII XIX XX"
    .split(" ")
    .map(
      (numeral, i) => [numeral, [2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20][i] as number] as const,
    ),
);

/** Names of letters, as words: a model that learned from words alone says "F B I" as "fly". */
const LETTERS: Readonly<Record<string, string>> = {
  A: "ay",
  B: "bee",
  C: "see",
  D: "dee",
  E: "ee",
  F: "eff",
  G: "gee",
  H: "aitch",
  I: "eye",
  J: "jay",
  K: "kay",
  L: "ell",
  M: "em",
  N: "en",
  O: "oh",
  P: "pee",
  Q: "cue",
  R: "are",
  S: "ess",
  T: "tee",
  U: "you",
  V: "vee",
  W: "double you",
  X: "ex",
  Y: "why",
  Z: "zee",
};

const VOWEL = /[AEIOUY]/;
/** Two capitals or more, or a letter that is no word. */
const WORD = /(?<![\p{L}\p{N}'’])(\p{Lu}{2,}|[B-HJ-Z](?!['’](?!s)))(['’]?s)?(?![\p{L}\p{N}])/gu;
const CAPITALS = /(?<![\p{L}\p{N}])\p{Lu}[\p{Lu}'’]*\p{Lu}(?!\p{L})/gu;

/** Share of its letters that are capitals in a sentence that is written in them. */
const MOST = 0.6;

/** The sentence in ordinary letters, if it is written in capitals; single words in capitals stay. */
export function withoutShouting(sentence: string): string {
  const letters = sentence.match(/\p{L}/gu) ?? [];
  const capitals = letters.filter((letter) => /\p{Lu}/u.test(letter));
  const words = sentence.match(CAPITALS) ?? [];
  if (words.length < 2 || capitals.length < MOST * letters.length) return sentence;
  const lower = sentence.replace(CAPITALS, (word) => {
    const isWord = /['’]/.test(word) || !isSpelled(word) || SHORT_AMONG_CAPITALS.has(word);
    return isWord ? word.toLowerCase() : word;
  });
  return lower
    .replace(/\p{L}/u, (first) => first.toUpperCase())
    .replace(/(?<![\p{L}\p{N}])i(?=['’]|(?![\p{L}\p{N}]))/gu, "I");
}

/** Acronyms letter by letter, other words in capitals as small ones. */
export function withoutAcronyms(sentence: string): string {
  return sentence.replace(WORD, (_, capitals: string, plural: string | undefined, at: number) => {
    const numeral = ROMAN.get(capitals);
    if (numeral !== undefined && plural === undefined) return english(String(numeral));
    if (isSpelled(capitals))
      return Array.from(capitals, (letter) => LETTERS[letter] ?? letter).join(" ") + (plural ?? "");
    const lower = capitals.toLowerCase() + (plural ?? "");
    return at === 0 || NAMES.has(capitals) ? lower.charAt(0).toUpperCase() + lower.slice(1) : lower;
  });
}

/** @param word in capitals */
function isSpelled(word: string): boolean {
  if (NAMES.has(word) || SHORT.has(word) || !/^[A-Z]+$/.test(word)) return false;
  return SPELLED.has(word) || word.length <= 3 || !VOWEL.test(word);
}
