/** In which language a sentence is written: by its script, and among those with Latin letters by their commonest words. */

/** "other": none whose numbers we can read. Names are BCP 47's. */
export type Tongue =
  | "en"
  | "zh"
  | "ja"
  | "ko"
  | "de"
  | "fr"
  | "es"
  | "it"
  | "pt"
  | "nl"
  | "pl"
  | "ru"
  | "hi"
  | "ar"
  | "other";

/** How a language is called in a message. */
const NAMES: Readonly<Record<Tongue, string>> = {
  en: "English",
  zh: "Chinese",
  ja: "Japanese",
  ko: "Korean",
  de: "German",
  fr: "French",
  es: "Spanish",
  it: "Italian",
  pt: "Portuguese",
  nl: "Dutch",
  pl: "Polish",
  ru: "Russian",
  hi: "Hindi",
  ar: "Arabic",
  other: "another language",
};

/** First match wins: Japanese has Chinese characters too. */
const SCRIPTS: readonly (readonly [RegExp, Tongue])[] = [
  [/[\u3040-\u30ff\uff66-\uff9f]/u, "ja"],
  [/\p{Script=Hangul}/u, "ko"],
  [/[\u4e00-\u9fff]/u, "zh"],
  [/\p{Script=Cyrillic}/u, "ru"],
  [/\p{Script=Devanagari}/u, "hi"],
  [/\p{Script=Arabic}/u, "ar"],
  [/(?!\p{Script=Latin}|\p{Script=Greek}|\p{Script=Common}|\p{Script=Inherited})\p{L}/u, "other"],
];

/** Words that nearly every sentence of a language has one of, and English seldom has; in lower case. */
const COMMON: readonly (readonly [Tongue, string])[] = [
  [
    "en",
    "the of and to a in is it you that he was for on are with as i his they be at this have or had by but not what all were we when your can said there an which she do how their if will up about out many then them these so some her would him into has more two no my than been who its now did get come made may yes please hello thank from",
  ],
  [
    "de",
    "der die das und ist nicht ein eine einen einem zu den dem von mit sich auf für als auch es wir ihr sie sind wird wieder bei nach aus noch nur oder über ich du hat haben war kann wenn dass im am zum zur",
  ],
  [
    "fr",
    "le la les un une des et est pas que qui dans pour sur avec il elle nous vous ils sont ce cette au aux du en je tu ne mais ou où plus par se son sa ses leur été être à c'est j'ai",
  ],
  [
    "es",
    "el la los las un una y es no que de en por para con se su al lo como más pero sus le ya este sí porque esta entre cuando muy sin sobre también me hasta hay donde del está tengo años",
  ],
  [
    "it",
    "il lo la i gli le un una e è non che di in per con si su al come più ma anche sono della del nel alla dei questo questa ho ha molto ci mi",
  ],
  [
    "pt",
    "o a os as um uma e é não que de em por para com se ao como mais mas foi ele das dos na no da do seu sua ou quando muito nos já está eu também só pelo até isso ela são tem",
  ],
  [
    "nl",
    "de het een en is niet van dat die in te voor op met zijn er aan ook als maar om hij ze naar bij nog uit wel je ik heb dan wat heeft deze geen worden wordt",
  ],
  [
    "pl",
    "nie się na jest to że do jak ale co tak za od po jego czy tylko już być dla przez ten tym są bardzo ma był oraz",
  ],
];
const COMMON_WORDS = COMMON.map(([language, words]) => [language, new Set(words.split(" "))] as const);

/** Words that count: no letter alone, none beside a stop or a digit (an abbreviation), no name inside of a sentence. */
const WORD =
  /(?<![\p{L}\p{N}.'’])(?:(?<=^[^\p{L}]*)\p{Lu})?\p{Ll}+(?:['’]\p{Ll}+)?(?<=\p{L}{2})(?![\p{L}\p{N}'’]|\.\p{L})/gu;
const FOREIGN_LETTER = /(?!\p{ASCII})\p{Script=Latin}/u;
/** Common words of another language that a sentence must have, with letters of that language and without. */
const ENOUGH = { withLetters: 2, without: 3 };

/**
 * The language of a sentence; undefined where it has no letters, and with Latin letters "en" unless it has several different common
 * words of another language, and more of those than of English.
 */
export function languageOf(text: string): Tongue | undefined {
  for (const [script, language] of SCRIPTS) if (script.test(text)) return language;
  if (!/\p{L}/u.test(text)) return undefined;
  const words = new Set([...text.matchAll(WORD)].map(([word]) => word.toLowerCase().replace("’", "'")));
  const [english, ...others] = COMMON_WORDS.map(([language, common]) => ({
    language,
    count: [...words].filter((word) => common.has(word)).length,
  }));
  const best = others.reduce((a, b) => (b.count > a.count ? b : a));
  const enough = FOREIGN_LETTER.test(text) ? ENOUGH.withLetters : ENOUGH.without;
  return best.count >= enough && best.count > (english?.count ?? 0) ? best.language : "en";
}

export function nameOf(language: string): string {
  return NAMES[language as Tongue] ?? language;
}

/** "English", "Chinese and English". */
export function namesOf(languages: readonly string[]): string {
  const names = languages.map(nameOf);
  return names.length < 2 ? (names[0] ?? "no language") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
