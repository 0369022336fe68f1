/** What the English grammar reads wrong. */
import { english, englishDecade, englishYear, spelled } from "../numbers.js";
import type { Rule } from "./rule.js";
import { BY_SPELLING, UNIT } from "./units.js";

const NUMBER = String.raw`\d+(?:,\d{3})*(?:\.\d+)?`;
/** No letter, digit or point of a longer number before or behind. */
const BEFORE = String.raw`(?<![\p{L}\p{N}.,/-])`;
const BEHIND = String.raw`(?![\p{L}\p{N}]|[.,/-]\d)`;

const DAYS: Readonly<Record<string, string>> = {
  Mon: "Monday",
  Tue: "Tuesday",
  Tues: "Tuesday",
  Wed: "Wednesday",
  Thu: "Thursday",
  Thur: "Thursday",
  Thurs: "Thursday",
  Fri: "Friday",
  Sat: "Saturday",
  Sun: "Sunday",
};
const DAY = Object.keys(DAYS)
  .sort((a, b) => b.length - a.length)
  .join("|");
const MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec";

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

/** What two million of something are: "2m views" are no minutes and no meters. */
const COUNTABLE =
  "views|followers|subscribers|people|users|dollars|pounds|euros|downloads|copies|units|customers|streams|visitors|likes|tons|tonnes|jobs|homes|visits|records|fans|viewers|members";

/** Digits that somebody dials or types, group by group. */
const grouped = (number: string) =>
  number
    .split(/[\s().-]+/)
    .filter((group) => group !== "")
    .map((group) => (group.startsWith("+") ? `plus ${spelled(group.slice(1))}` : spelled(group)))
    .join(", ");

export const ENGLISH: readonly Rule[] = [
  {
    name: "No. is a number only before one",
    pattern: /(?<![\p{L}\p{N}])(?:№|([Nn])(o|os|º)\.?|N[Oo]\.)\s?#?(?=\d)/gu,
    say: (_, n, o) => `${n === "n" ? "n" : "N"}umber${o === "os" ? "s" : ""} `,
    examples: [
      ["Open door No. 5 now.", "Open door Number five now."],
      ["See nos. 3 and 4.", "See numbers three and four."],
      ["Take № 7.", "Take Number seven."],
    ],
  },
  {
    name: "names of days are shortened beside days, dates and times only",
    pattern: new RegExp(
      String.raw`(?<![\p{L}\p{N}])(?:${DAY})\b\.?(?=,?\s+(?:${MONTH})[a-z]*\.?\s+\d|,?\s+\d|\s?[-–—/]\s?(?:${DAY})\b|,\s+(?:${DAY})\b|,?\s+(?:and|or|to|through|till|until)\s+(?:${DAY})\b)` +
        String.raw`|(?<=(?<![\p{L}\p{N}])(?:on|next|last|this|every|until|till|by|you)\s+)(?:${DAY})\b(?!-|\s+[a-z]*(?:shin|ris|set)|\s+(?:is|was|and)\b)(?:\.(?=\s+\p{Ll}))?` +
        String.raw`|(?<![\p{L}\p{N}])(?:Tues?|Thu(?:rs?)?|Fri)\b(?!-)(?:\.(?=,|\s+\p{Ll}))?` +
        String.raw`|(?<=(?<![\p{L}\p{N}])(?:${DAY})\.?(?:\s?[-–—/]\s?|,\s+|,?\s+(?:and|or|to|through|till|until)\s+))(?:${DAY})\b(?:\.(?=\s+\p{Ll}))?`,
      "gu",
    ),
    say: (match) => DAYS[match.replace(".", "")],
    examples: [
      ["Wed them now.", "Wed them now."],
      ["The Sun is out.", "The Sun is out."],
      ["Open Mon, Tue and Wed only.", "Open Monday, Tuesday and Wednesday only."],
      ["See you on Mon at noon.", "See you on Monday at noon."],
      ["See you Fri.", "See you Friday."],
      ["It is on Sat. 5 May.", "It is on Saturday five May."],
      ["She sat. Sat down, I mean.", "She sat. Sat down, I mean."],
    ],
  },
  {
    name: "dotted numbers of three parts and more, but addresses",
    pattern: new RegExp(String.raw`${BEFORE}(?:([vV]\.?\s?)(\d+(?:\.\d+)+)|(\d+(?:\.\d+){2,}))${BEHIND}`, "gu"),
    say: (_, version, versioned, dotted) => {
      const parts = versioned || dotted || "";
      const numbers = parts.split(".");
      if (numbers.length === 4 && numbers.every((part) => Number(part) < 256) && version === "") return undefined;
      return `${version === "" ? "" : "version "}${numbers.map(english).join(" point ")}`;
    },
    examples: [
      ["Read version 2.4.1 now.", "Read version two point four point one now."],
      ["We run v10.0.3.", "We run version ten point zero point three."],
      ["Use v2.0 now.", "Use version two point zero now."],
      ["Ping 192.168.1.1.", "Ping one nine two dot one six eight dot one dot one."],
    ],
  },
  {
    name: "decades",
    pattern: /(?<![\p{L}\p{N}.,])['‘’]?((?:1\d|20)\d0|[2-9]0)['’]?s(?![\p{L}\p{N}])/gu,
    say: (match, year = "") => (year.length === 2 && !/^['‘’]/.test(match) ? undefined : englishDecade(year)),
    examples: [
      ["The 1960s were loud.", "The nineteen sixties were loud."],
      ["Back in the '80s it rained.", "Back in the eighties it rained."],
      ["The 2000s and 1900s.", "The two thousands and nineteen hundreds."],
    ],
  },
  {
    name: "from year to year",
    pattern: new RegExp(String.raw`${BEFORE}(1[1-9]\d\d|20\d\d)\s?-\s?(1[1-9]\d\d|20\d\d)${BEHIND}`, "gu"),
    say: (_, from = "", to = "") =>
      Number(from) < Number(to) ? `${englishYear(from)} to ${englishYear(to)}` : undefined,
    examples: [["The war of 1939-1945 ended.", "The war of nineteen thirty nine to nineteen forty five ended."]],
  },
  {
    name: "always, and the day",
    pattern: new RegExp(String.raw`${BEFORE}(?:(24)/(7)(?:/365)?|(9)/(11)|(50)/(50))${BEHIND}`, "gu"),
    say: (_, ...numbers) =>
      numbers
        .filter((number) => number !== "")
        .map(english)
        .join(" "),
    examples: [
      ["We are open 24/7 here.", "We are open twenty four seven here."],
      ["After 9/11 it changed.", "After nine eleven it changed."],
    ],
  },
  {
    name: "blood pressure",
    pattern: new RegExp(
      String.raw`(blood pressure\D{0,20}|BP\D{0,6})?${BEFORE}(\d{2,3})/(\d{2,3})(\s?mm\s?Hg)?${BEHIND}`,
      "giu",
    ),
    say: (_, named = "", high = "", low = "", unit = "") =>
      named === "" && unit === ""
        ? undefined
        : `${named}${english(high)} over ${english(low)}${unit === "" ? "" : " millimeters of mercury"}`,
    examples: [
      ["It was 120/80mmHg.", "It was one hundred and twenty over eighty millimeters of mercury."],
      ["Her blood pressure is 135/85 now.", "Her blood pressure is one hundred and thirty five over eighty five now."],
    ],
  },
  {
    name: "feet and inches",
    pattern: /(?<![\p{L}\p{N}.,])(\d{1,2})\s?['′’]\s?(\d{1,2})\s?(?:["″”]|''|in\b)/gu,
    say: (_, feet = "", inches = "") => `${english(feet)} foot ${english(inches)}`,
    examples: [
      ["He is 5'10\" tall.", "He is five foot ten tall."],
      ["She is 6′2″ tall.", "She is six foot two tall."],
    ],
  },
  {
    name: "feet, and inches without a mark of their own",
    pattern:
      /(?<![\p{L}\p{N}.,])([3-8])['’′](1[01]|\d)(?![\p{L}\p{N}.,'’′"”″])|(?<![\p{L}\p{N}.,])(\d+)\s?ft\.?\s?(\d{1,2})\s?in(?:\.|ch(?:es)?)?(?![\p{L}\p{N}])/gu,
    say: (_, feet = "", inches = "", ft = "", inch = "") =>
      feet === ""
        ? `${english(ft)} feet ${english(inch)} ${inch === "1" ? "inch" : "inches"}`
        : `${english(feet)} foot ${english(inches)}`,
    examples: [
      ["He is 6'2 tall.", "He is six foot two tall."],
      ["It is 6 ft 2 in long.", "It is six feet two inches long."],
    ],
  },
  {
    name: "inches",
    pattern: /(?<=^[^"“]*)(?<![\p{L}\p{N}.,])(\d+(?:\.\d+)?)["″](?=\s|[.,;:!?]|$)/gu,
    say: "$1 inch",
    examples: [['A 12" ruler.', "A twelve inch ruler."]],
  },
  {
    name: "minutes and seconds",
    pattern: /(?<![\p{L}\d.,])(\d+)\s?m(?:in)?\s?(\d+)\s?s(?:ec)?(?![\p{L}\p{N}])/gu,
    say: (_, minutes = "", seconds = "") =>
      `${minutes} ${minutes === "1" ? "minute" : "minutes"} ${seconds} ${seconds === "1" ? "second" : "seconds"}`,
    examples: [
      ["It took 5 m 30 s.", "It took five minutes thirty seconds."],
      ["It took 5m 20s.", "It took five minutes twenty seconds."],
    ],
  },
  {
    name: "millions of something",
    pattern: new RegExp(String.raw`(?<=[\d])\s?([mM]|[bB])(?=\s(?:${COUNTABLE})\b)`, "gu"),
    say: (_, letter = "") => (letter.toLowerCase() === "m" ? " million" : " billion"),
    examples: [["It has 2m views.", "It has two million views."]],
  },
  {
    name: "meters, where no hours and seconds stand beside them",
    pattern: new RegExp(
      String.raw`(?<!\d\s?(?:h|hr|hrs|hours?|d)\s?|[\p{L}\d$£€¥.,/-])(${NUMBER})\s?m(?![\p{L}\p{N}²³/·'’]|\s?\d+\s?s)`,
      "gu",
    ),
    say: (_, number = "") => `${number} ${number === "1" ? "meter" : "meters"}`,
    examples: [
      ["The wall is 2 m high.", "The wall is two meters high."],
      ["It is 8,849 m tall.", "It is eight thousand eight hundred and forty nine meters tall."],
      ["It took 2 h 30 m.", "It took two hours thirty minutes."],
      ["It took 2h 5m.", "It took two hours five minutes."],
    ],
  },
  {
    name: "units",
    pattern: new RegExp(String.raw`(${NUMBER})\s?${UNIT}`, "gu"),
    say: (_, number = "", spelling = "") => {
      const unit = BY_SPELLING.get(spelling);
      return unit && `${number} ${number === "1" ? unit.one : unit.many}`;
    },
    examples: [
      ["It uses 10 kWh a day.", "It uses ten kilowatt hours a day."],
      ["Sugar was 5.6 mmol/L.", "Sugar was five point six millimoles per liter."],
      ["A torque of 620N·m.", "A torque of six hundred and twenty newton meters."],
    ],
  },
  {
    name: "powers",
    pattern: /(?<=[\p{L}\p{N})\]])(?<!\d\s?(?:[kcdm]?m|in|ft|yd|mi))([²³⁴-⁹⁰¹]+)(?!\p{L})/gu,
    say: (_, power = "") => {
      const digits = power.normalize("NFKC");
      return digits === "2" ? " squared" : digits === "3" ? " cubed" : ` to the power of ${english(digits)}`;
    },
    examples: [
      ["Solve x² + y² now.", "Solve x squared plus y squared now."],
      ["About 10⁶ of them.", "About ten to the power of six of them."],
      ["It has 30 m² of room.", "It has thirty square meters of room."],
    ],
  },
  {
    name: "powers with a caret",
    pattern: /(?<=[\p{L}\p{N})])\^(-|−)?(\d+)/gu,
    say: (_, sign = "", power = "") => ` to the power of ${sign === "" ? "" : "minus "}${english(power)}`,
    examples: [["It is 2^10 in all.", "It is two to the power of ten in all."]],
  },
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
    name: "signs of arithmetic",
    pattern: /(?<=[\p{L}\p{N})%])\s*(×|÷|=|[<>≤≥≠](?!=)|<=|>=)\s*(?=[\p{L}\p{N}(-])|(?<![\p{L}\p{N}])(±)\s?(?=\d)/gu,
    say: (_, sign = "", both) => (both ? "plus or minus " : ` ${SIGNS[sign]} `),
    examples: [
      ["Then 5×3=15.", "Then five times three equals fifteen."],
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
        String.raw`(?<=(?:ISBN|isbn)(?:-1[03])?:?\s?)((?:97[89][- ]?)?\d{1,5}[- ]\d{1,7}[- ]\d{1,7}[- ][\dXx])`,
        String.raw`(?<=(?:call|dial|Call|Dial)\s)(911|999|112|411|311|211|000)`,
        String.raw`(?<=(?:PIN|pin|code|ID|passcode|extension|ext\.?|dial|Dial)(?:\s(?:number|is|no\.?))*:?\s#?)(\d{3,})`,
        String.raw`(?<=(?:phone|call|fax|text|passport|account|card|order|tracking|serial|number|ISBN|ZIP|zip)(?:\s(?:number|no\.?|is|code|at|on))*:?\s?#?)(\d{5,})`,
      ]
        .map((form) => String.raw`(?<![\p{L}\p{N}.,/$£€-])${form}${BEHIND}`)
        .join("|"),
      "gu",
    ),
    say: (_, ...numbers) => grouped(numbers.find((number) => number !== "") ?? ""),
    examples: [
      ["Call +49 170 1234567 now.", "Call plus four nine, one seven zero, one two three four five six seven now."],
      ["Call 555-1234 now.", "Call five five five, one two three four now."],
      ["Call (555) 123-4567.", "Call five five five, one two three, four five six seven."],
      ["My PIN is 0042.", "My PIN is zero zero four two."],
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
