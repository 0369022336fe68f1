/** What the English grammar reads wrong of amounts, arithmetic, numbers that are dialled, and marks. */
import { english, spelled } from "../numbers.js";
import { BEFORE, BEHIND, NUMBER } from "./englishParts.js";
import type { Rule } from "./rule.js";

const SIGNS: Readonly<Record<string, string>> = {
  "×": "times",
  "÷": "divided by",
  "=": "equals",
  "<": "is less than",
  ">": "is greater than",
  "≤": "is at most",
  "<=": "is at most",
  "≥": "is at least",
  ">=": "is at least",
  "≠": "is not",
};

/** Digits that somebody dials or types, group by group. */
const grouped = (number: string) =>
  number
    .split(/[\s().-]+/)
    .filter((group) => group !== "")
    .map((group) => (group.startsWith("+") ? `plus ${spelled(group.slice(1))}` : spelled(group)))
    .join(", ");

export const NUMBERS: readonly Rule[] = [
  {
    name: "about, and from about to about",
    pattern: /(\d%?)\s?[~～]\s?(?=[$£€]?\d)|(?<![\p{L}\p{N}~])[~～≈]\s?(?=[$£€]?\d)/gu,
    say: (_, before = "") => (before === "" ? "about " : `${before} to `),
    examples: [
      ["It is ~100 long.", "It is about one hundred long."],
      ["Take 5~10 of them.", "Take five to ten of them."],
    ],
  },
  {
    name: "differences and quotients, where their value follows",
    pattern: /(?<=\d)\s?([-/])\s?(?=\d+(?:\.\d+)?\s?=)/gu,
    say: (_, sign) => (sign === "-" ? " minus " : " divided by "),
    examples: [
      ["So 5-3=2 holds.", "So five minus three equals two holds."],
      ["And 10/2=5 too.", "And ten divided by two equals five too."],
    ],
  },
  {
    name: "signs of arithmetic",
    pattern:
      /(?<=[\p{L}\p{N})%])\s*(×|÷|=|[≤≥≠]|<=|>=|(?<=\s|\d)[<>](?=\s|\d))\s*(?=[\p{L}\p{N}(-])|(?<![\p{L}\p{N}])(±)\s?(?=\d)/gu,
    say: (_, sign = "", both) => (both ? "plus or minus " : ` ${SIGNS[sign]} `),
    examples: [
      ["Then 5×3=15.", "Then five times three equals fifteen."],
      ["If x > 5, stop.", "If x is greater than five, stop."],
      ["If x ≥ 5, stop.", "If x is at least five, stop."],
      ["Add ±5 to it.", "Add plus or minus five to it."],
    ],
  },
  {
    name: "arrows",
    pattern: /\s*(?:-{1,2}>|=>|[→⇒➔➜])\s*(?=\S)/gu,
    say: " to ",
    examples: [["From A -> B.", "From A to B."]],
  },
  {
    name: "cents, and parts of a thousand",
    pattern: /(?<=\d)\s?([¢‰])/gu,
    say: (_, sign) => (sign === "¢" ? " cents" : " per thousand"),
    examples: [
      ["It costs 5¢.", "It costs five cents."],
      ["Salt is at 35‰.", "Salt is at thirty five per thousand."],
    ],
  },
  {
    name: "one thousand something, of which the grammar loses the one",
    pattern:
      /(?<![\p{L}\p{N}.,-])([$£€]?)(1,\d{3}(?:,\d{3})*|[1-9]000)(?![\p{L}\p{N}]|[.,/-]\d|\s(?:million|billion|trillion)\b)/gu,
    say: (_, currency = "", number = "") =>
      currency === ""
        ? english(number)
        : `${english(number)} ${{ $: "dollars", "£": "pounds", "€": "euros" }[currency]}`,
    examples: [
      ["It has 1,980 parts.", "It has one thousand nine hundred and eighty parts."],
      ["Some 1000 people came for $1,000.", "Some one thousand people came for one thousand dollars."],
    ],
  },
  {
    name: "thousands marked by blanks or apostrophes",
    pattern: /(?<![\p{L}\p{N}.,'’])\d{1,3}(?:(?: \d{3}){2,}|(?:[\u00a0\u202f'’]\d{3})+)(?![\p{L}\p{N}]|[.,'’ ]\d)/gu,
    say: (number) => number.replace(/\D/gu, ""),
    examples: [["It has 1 000 000 parts.", "It has one million parts."]],
  },
  {
    name: "from amount to amount",
    pattern: new RegExp(String.raw`([$£€])(${NUMBER})\s?-\s?[$£€]?(${NUMBER})${BEHIND}`, "gu"),
    say: "$2 to $1$3",
    examples: [["It costs $5-10.", "It costs five to ten dollars."]],
  },
  {
    name: "from percent to percent",
    pattern: new RegExp(String.raw`${BEFORE}(${NUMBER})\s?%?\s?-\s?(${NUMBER})\s?%`, "gu"),
    say: "$1 to $2%",
    examples: [["About 10-20% of it.", "About ten to twenty percent of it."]],
  },
  {
    name: "a currency behind its number",
    pattern: new RegExp(String.raw`${BEFORE}(${NUMBER})\s?([€£])`, "gu"),
    say: "$2$1",
    examples: [["It costs 100€ now.", "It costs one hundred euros now."]],
  },
  {
    name: "a whole and a half, a quarter, three quarters",
    pattern: /(?<=\d)\s?([½¼¾])/gu,
    say: (_, part) => ({ "½": " and a half", "¼": " and a quarter", "¾": " and three quarters" })[part ?? ""],
    examples: [["It took 3½ hours.", "It took three and a half hours."]],
  },
  {
    name: "numbers that are dialled or typed",
    pattern: new RegExp(
      [
        String.raw`(\+\d[\d\s().-]{6,18}\d)`,
        String.raw`(\(\d{3}\)\s?\d{3}-\d{4}|(?<!\)\s?)\d{3}-\d{4})`,
        String.raw`(\d{4}(?:[ -]\d{4}){2,3}|\d{3}-\d{2}-\d{4}|\d{12,})`,
        String.raw`(0\d{2,4}[ -]\d{3,4}[ -]\d{3,4}|0\d{3,4}[ -]\d{5,7})`,
        String.raw`(?<=(?:ISBN)(?:-1[03])?:?\s?)((?:97[89][- ]?)?\d{1,5}[- ]\d{1,7}[- ]\d{1,7}[- ][\dXx])`,
        String.raw`(?<=(?:call|dial)\s)(911|999|112|411|311|211|000)`,
        String.raw`(?<=\b(?:PIN|code|ID|passcode|password|OTP|extension|ext\.?|dial)(?:\s(?:number|is|no\.?))*:?\s#?)(\d{3,})`,
        String.raw`(?<=\b(?:phone|mobile|cell|call|tel\.?|fax|passport|account|card|order|tracking|serial|number|ISBN|ZIP)(?:\s(?:number|no\.?|is|code|at|on))*:?\s?#?)(\d{2,5}(?:[ -]\d{3,7})+|\d{5,})`,
      ]
        .map((form) => String.raw`(?<![\p{L}\p{N}.,/$£€-])${form}${BEHIND}`)
        .join("|"),
      "giu",
    ),
    say: (_, ...numbers) => grouped(numbers.find((number) => number !== "") ?? ""),
    examples: [
      ["Call +49 170 1234567 now.", "Call plus four nine, one seven zero, one two three four five six seven now."],
      ["Call 555-1234 now.", "Call five five five, one two three four now."],
      ["Call (555) 123-4567.", "Call five five five, one two three, four five six seven."],
      ["My PIN is 0042.", "My PIN is zero zero four two."],
      ["Tel.: 030 1234567.", "Tel. zero three zero, one two three four five six seven."],
      ["Code: 482913", "Code: four eight two nine one three."],
      ["Your code is 482913.", "Your code is four eight two nine one three."],
      ["Card 4111 1111 1111 1111.", "Card four one one one, one one one one, one one one one, one one one one."],
    ],
  },
  {
    name: "thousands with a point behind them",
    pattern: /(?<![\p{L}\p{N}.,$£€-])([$£€]?)(\d{1,3}(?:,\d{3})+|\d{4,9})\.(\d+)(?![\p{L}\p{N}]|[.,]\d)/gu,
    say: (_, currency = "", number = "", digits = "") => {
      const words = `${english(number)} point ${spelled(digits)}`;
      return currency === "" ? words : `${words} ${{ $: "dollars", "£": "pounds", "€": "euros" }[currency]}`;
    },
    examples: [
      ["It is 1,234.56 in all.", "It is one thousand two hundred and thirty four point five six in all."],
      ["It costs $1,234.50.", "It costs one thousand two hundred and thirty four point five zero dollars."],
    ],
  },
  {
    name: "an address in base 16, letter by letter",
    pattern: /(?<![\p{L}\p{N}])0[xX]([0-9a-fA-F]{2,})(?![\p{L}\p{N}])/gu,
    say: (_, digits = "") => `zero X ${spelled(digits)}`,
    examples: [["Send it to 0x7f3A.", "Send it to zero X seven F three A."]],
  },
  {
    name: "sharps",
    pattern: /(?<![\p{L}\p{N}])([A-G])#(?![\p{L}\p{N}#])/gu,
    say: "$1 sharp",
    examples: [["Written in C# by us.", "Written in C sharp by us."]],
  },
  {
    name: "tags",
    pattern: /(?<![\p{L}\p{N}&])#(?=\p{L})/gu,
    say: "hashtag ",
    examples: [["We like #music here.", "We like hashtag music here."]],
  },
  {
    name: "a heading that stands in the middle of a line",
    pattern: /(?<![\p{L}\p{N}])#+\s+(?=\p{L})/gu,
    say: "",
    examples: [["Now # Title here.", "Now Title here."]],
  },
];
