/** Numbers in words, where we read them ourselves: whole ones, years, and digits one by one. */
import { numberToWords, UNITS } from "./digits.js";

const EN_DIGITS = ["zero", ...UNITS.slice(1)];
const EN_TENS = [
  "",
  "tens",
  "twenties",
  "thirties",
  "forties",
  "fifties",
  "sixties",
  "seventies",
  "eighties",
  "nineties",
];
const ZH_DIGITS = "零一二三四五六七八九";
const ZH_UNITS = ["", "十", "百", "千"];

/** "one thousand two hundred and five"; thousands may be marked by commas. */
export function english(digits: string): string {
  return numberToWords(digits.replaceAll(",", "")).replaceAll("-", " ").replaceAll(",", "");
}

/** Letters and digits by their names: "seven F three". */
export function spelled(text: string): string {
  return Array.from(text, (character) => EN_DIGITS[Number(character)] ?? character.toUpperCase()).join(" ");
}

/** "nineteen thirty nine", "two thousand and five", "nineteen oh five". */
export function englishYear(year: string): string {
  const [century, rest] = [Number(year.slice(0, 2)), Number(year.slice(2))];
  if (rest === 0) return century % 10 === 0 ? english(year) : `${english(String(century))} hundred`;
  if (century % 10 === 0 && rest < 10) return english(year);
  return `${english(String(century))} ${rest < 10 ? `oh ${english(String(rest))}` : english(String(rest))}`;
}

/** "nineteen sixties" of 1960, "sixties" of 60. */
export function englishDecade(year: string): string {
  const tens = EN_TENS[Number(year.at(-2))] ?? "";
  if (year.length === 2) return tens;
  const century = english(year.slice(0, 2));
  if (year.endsWith("00")) return year.charAt(1) === "0" ? `${english(year)}s` : `${century} hundreds`;
  return `${century} ${tens}`;
}

/** One by one; 1 as 幺 in numbers that somebody dials or types, as the grammars read them. */
export function chineseDigits(digits: string, one: "一" | "幺" = "幺"): string {
  return Array.from(digits, (digit) => (digit === "1" ? one : (ZH_DIGITS[Number(digit)] ?? digit))).join("");
}

/** 一百二十, of up to four digits; longer ones one by one. */
export function chinese(digits: string): string {
  const plain = digits.replace(/^0+(?=\d)/, "");
  if (plain.length > ZH_UNITS.length) return chineseDigits(plain, "一");
  const words = Array.from(plain, (digit, i) =>
    digit === "0" ? "零" : (ZH_DIGITS[Number(digit)] ?? "") + (ZH_UNITS[plain.length - 1 - i] ?? ""),
  ).join("");
  return words
    .replace(/零+/gu, "零")
    .replace(/(?<=.)零$/u, "")
    .replace(/^一十/u, "十");
}
