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

/** Words of two and three letters: in capitals they stand for emphasis, others are spelled. */
const SHORT = new Set(
  (
    "A I AH AN AS AT BE BY DO GO HA HE HI IF IN IS ME MY NO OF OH OK ON OR SO TO UP WE " +
    "ACT ADD AGE AGO AID AIM AIR ALL AND ANT ANY APE ARE ARM ART ASK ATE BAD BAG BAN BAR BAT BED BEE BEG BET BID BIG BIN BIT BOW BOX BOY BUD BUG BUN BUS BUT BUY BYE " +
    "CAB CAN CAP CAR CAT COW CRY CUP CUT DAD DAY DEN DID DIE DIG DIM DOG DOT DRY DUE EAR EAT EGG END EVE EYE FAN FAR FAT FEE FEW FIG FIN FIT FIX FLU FLY FOG FOR FOX FUN FUR " +
    "GAP GAS GET GOD GOT GUM GUN GUY GYM HAD HAM HAS HAT HAY HEN HER HEY HID HIM HIP HIS HIT HOP HOT HOW HUG ICE ILL INK INN ITS JAM JAR JAW JET JOB JOY JUG KEY KID KIN KIT " +
    "LAB LAD LAP LAW LAY LEG LET LID LIE LIP LIT LOG LOT LOW MAD MAN MAP MAT MAY MEN MET MIX MOB MOM MUD NAP NET NEW NOD NOR NOT NOW NUT OAK ODD OFF OIL OLD ONE OUR OUT OWE OWL OWN " +
    "PAN PAY PEA PEN PET PIE PIG PIT POT PUT RAG RAN RAT RAW RED RIB RID ROB ROD ROW RUB RUG RUN SAD SAT SAW SAY SEA SEE SET SHE SHY SIR SIT SIX SKI SKY SON SPY SUM SUN " +
    "TAG TAP TAX TEA TEN THE TIE TIN TIP TOE TON TOO TOP TOY TRY TUB TWO USE VAN VERY VET WAR WAS WAY WEB WET WHO WHY WIG WIN WON YES YET YOU ZOO"
  ).split(" "),
);

/** Titles, which the grammar knows with a small letter in them alone. */
const TITLES: Readonly<Record<string, string>> = {
  MR: "Mr",
  MRS: "Mrs",
  MS: "Ms",
  DR: "Dr",
  ST: "St",
  PROF: "Prof",
  JR: "Jr",
};

/** Acronyms that are ordinary words among capitals: "US" is a country and "AI" a machine only where the rest is small. */
const SHORT_AMONG_CAPITALS = new Set("US IT AM PM AD ID".split(" "));

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
  // A list of acronyms is none.
  const shouted = words.filter((word) => !SPELLED.has(word) && VOWEL.test(word));
  if (shouted.length < 2 || capitals.length < MOST * letters.length) return sentence;
  const lower = sentence.replace(CAPITALS, (word) => {
    const title = TITLES[word];
    if (title !== undefined) return title;
    // "TVS": more than one of them.
    if (/^[^AEIOUY]{2,}S$/.test(word)) return `${word.slice(0, -1)}s`;
    const isAcronym = (SPELLED.has(word) && !SHORT_AMONG_CAPITALS.has(word)) || !VOWEL.test(word);
    return isAcronym ? word : word.toLowerCase();
  });
  return lower
    .replace(/(?<=\s)A(?=\s)/g, "a")
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
