/** What the English grammar reads wrong of dates, years and numbers that name something. */
import { english, englishDecade, englishYear } from "../numbers.js";
import { BEFORE, BEHIND } from "./englishParts.js";
import type { Rule } from "./rule.js";

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

export const DATES: readonly Rule[] = [
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
        String.raw`|(?<=(?<![\p{L}\p{N}])(?:on|next|last|this|every|until|till|by|you)\s+)(?:${DAY})\b(?=\.?(?:$|[,;:!?)]|\s+(?:\d|(?:at|from|to|until|till|through|and|or|morning|afternoon|evening|night|noon|we|because|if|but)\b)))(?:\.(?=\s+\p{Ll}))?` +
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
      ["It is made by Sun Microsystems.", "It is made by Sun Microsystems."],
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
      const isDate = numbers.length === 3 && numbers.some((part) => /^(?:1[89]|20)\d\d$/.test(part));
      if (isDate && !version) return undefined;
      if (numbers.length === 4 && numbers.every((part) => Number(part) < 256) && version === "") return undefined;
      return `${version === "" ? "" : "version "}${numbers.map(english).join(" point ")}`;
    },
    examples: [
      ["Read version 2.4.1 now.", "Read version two point four point one now."],
      ["We run v10.0.3.", "We run version ten point zero point three."],
      ["Use v2.0 now.", "Use version two point zero now."],
      ["On 4.5.2023 it rained.", "On the fifth of april twenty twenty three it rained."],
      ["Ping 192.168.1.1.", "Ping one nine two dot one six eight dot one dot one."],
    ],
  },
  {
    name: "decades",
    pattern: /(?<![\p{L}\p{N}.,])['‘’]?((?:1\d|20)\d0|[2-9]0)['’]?s(?![\p{L}\p{N}])/gu,
    say: (match, year = "") => (year.length === 2 && /^\d+s$/.test(match) ? undefined : englishDecade(year)),
    examples: [
      ["The 1960s were loud.", "The nineteen sixties were loud."],
      ["Back in the '80s it rained.", "Back in the eighties it rained."],
      ["In the 60's it rained.", "In the sixties it rained."],
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
    name: "from year to year of one century",
    pattern: new RegExp(String.raw`${BEFORE}(1[1-9]\d\d|20\d\d)-(\d\d)${BEHIND}(?!-)`, "gu"),
    say: (_, from = "", to = "") =>
      Number(to) > Number(from.slice(2)) ? `${englishYear(from)} to ${english(String(Number(to)))}` : undefined,
    examples: [["In 1990-91 it rained.", "In nineteen ninety to ninety one it rained."]],
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
];
