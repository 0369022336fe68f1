/** English words for digits, as `inflect.number_to_words` with its defaults spells them for the official front end. */
import { decimalValue, PYTHON_DIGITS } from "./unicode.js";

/** Of 0, nothing. */
export const UNITS = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS = [
  "ten",
  "eleven",
  "twelve",
  "thirteen",
  "fourteen",
  "fifteen",
  "sixteen",
  "seventeen",
  "eighteen",
  "nineteen",
];
const TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES = [
  "",
  " thousand",
  " million",
  " billion",
  " trillion",
  " quadrillion",
  " quintillion",
  " sextillion",
  " septillion",
  " octillion",
  " nonillion",
  " decillion",
];

/** Every maximal run of digits (Python's `str.isdigit`) replaced by its words; no blanks are put around them. */
export function spellDigits(text: string): string {
  return text.replace(PYTHON_DIGITS, numberToWords);
}

/**
 * Words of one run of digits of any script. Superscripts and circled digits carry no value and are skipped, so alone they
 * read "zero", as upstream. Beyond 36 digits upstream raises; here such a run is read digit by digit.
 */
export function numberToWords(run: string): string {
  const digits: number[] = [];
  for (const character of run) {
    const value = decimalValue(character);
    // Only the ASCII zero is stripped from the front upstream.
    if (value !== undefined && !(digits.length === 0 && character === "0")) digits.push(value);
  }
  if (digits.every((digit) => digit === 0)) return "zero";
  if (digits.at(-1) === 1 && digits.slice(0, -1).every((digit) => digit === 0)) return "one";

  const lead = digits.length % 3;
  const groups = lead > 0 ? [digits.slice(0, lead)] : [];
  for (let start = lead; start < digits.length; start += 3) groups.push(digits.slice(start, start + 3));

  const words: string[] = [];
  for (const [index, group] of groups.entries()) {
    // A short first group is spoken even if it is zero (foreign zeros are not stripped): a lone scale word, as upstream.
    if (group.length === 3 && group.every((digit) => digit === 0)) continue;
    const scale = SCALES[groups.length - 1 - index];
    if (scale === undefined) return readOut(digits);
    words.push(groupWords(group) + scale);
  }
  const last = words.pop() ?? "";
  const lowest = groups.at(-1) ?? [];
  const joint = isBelowHundred(lowest) && words.length > 0 ? " and " : ", ";
  return (words.length > 0 ? words.join(", ") + joint + last : last).trim();
}

/** One to three digits, most significant first: "one hundred and twenty-three". */
function groupWords(group: readonly number[]): string {
  const [hundreds = 0, tens = 0, units = 0] = [0, 0, ...group].slice(-3);
  const low = tens === 1 ? (TEENS[units] ?? "") : [TENS[tens], UNITS[units]].filter((word) => word).join("-");
  if (hundreds === 0) return low;
  return `${UNITS[hundreds]} hundred${low === "" ? "" : ` and ${low}`}`;
}

function isBelowHundred(group: readonly number[]): boolean {
  return group.some((digit) => digit > 0) && (group.length < 3 || group[0] === 0);
}

function readOut(digits: readonly number[]): string {
  const first = digits.findIndex((digit) => digit !== 0);
  return digits
    .slice(first)
    .map((digit) => UNITS[digit] || "zero")
    .join(" ");
}
