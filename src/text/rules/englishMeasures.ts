/** What the English grammar reads wrong of measures, units and powers. */
import { english } from "../numbers.js";
import { BEFORE, BEHIND, NUMBER } from "./englishParts.js";
import type { Rule } from "./rule.js";
import { BY_SPELLING, UNIT } from "./units.js";

const SINGULAR: Readonly<Record<string, string>> = {
  kg: "kilogram",
  g: "gram",
  km: "kilometer",
  m: "meter",
  cm: "centimeter",
  mm: "millimeter",
  lb: "pound",
  ft: "foot",
  in: "inch",
  hr: "hour",
  h: "hour",
  wk: "week",
  mo: "month",
  yr: "year",
  min: "minute",
};

/** What two million of something are: "2m views" are no minutes and no meters. */
const COUNTABLE =
  "views|followers|subscribers|people|users|dollars|pounds|euros|downloads|copies|units|customers|streams|visitors|likes|tons|tonnes|jobs|homes|visits|records|fans|viewers|members";

export const MEASURES: readonly Rule[] = [
  {
    name: "stops of shortened units inside of a sentence",
    pattern: /(?<=\d\s?(?:lbs?|oz|ft|in|mins?|secs?|hrs?|yrs?|wks?|tsp|tbsp|pt|qt|gal|cal|mi))\.(?=,|\s+\p{Ll})/gu,
    say: "",
    examples: [["Add 1 tsp. salt and 5 oz. of meat.", "Add one teaspoon salt and five ounces of meat."]],
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
    name: "meters, where nobody waits and no hours and seconds stand beside them",
    pattern: new RegExp(
      String.raw`(?<=(\b(?:took|takes?|wait(?:ed)?|last(?:s|ed)?|for|in|after|every|within|about)\s)?)` +
        String.raw`(?<!\d\s?(?:h|hr|hrs|hours?|d)\s?|[\p{L}\d$£€¥.,/-])(${NUMBER})\s?m(?![\p{L}\p{N}²³/·'’^]|\s?\d+\s?s)` +
        String.raw`(?=(\s+(?:ago|left|later|remaining)\b|\s*(?:[.,;!?]|$))?)`,
      "gu",
    ),
    say: (_, waits = "", number = "", behind = "") =>
      /\p{L}/u.test(behind) || (waits !== "" && behind !== "")
        ? undefined
        : `${number} ${number === "1" ? "meter" : "meters"}`,
    examples: [
      ["The wall is 2 m high.", "The wall is two meters high."],
      ["It is 8,849 m tall.", "It is eight thousand eight hundred and forty nine meters tall."],
      ["It took 2 h 30 m.", "It took two hours thirty minutes."],
      ["It took 2h 5m.", "It took two hours five minutes."],
      ["It took 5m, and he left 3m ago.", "It took five minutes, and he left three minutes ago."],
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
    name: "a measure before what it measures",
    pattern:
      /(?<![\p{L}\p{N}.,-])(\d+(?:\.\d+)?)-(kg|g|km|m|cm|mm|lb|ft|in|mile|inch|hour|day|week|year)(?![\p{L}\p{N}])/gu,
    say: (_, number = "", unit = "") => `${number} ${SINGULAR[unit] ?? unit}`,
    examples: [["A 5-kg bag and a 10-m rope.", "A five kilogram bag and a ten meter rope."]],
  },
  {
    name: "a price for each",
    pattern:
      /(?<=[$£€]\d+(?:[.,]\d+)*)\s?\/\s?(hr|h|hour|day|week|wk|month|mo|year|yr|kg|lb|person|min|night)(?![\p{L}\p{N}])/gu,
    say: (_, unit = "") => ` per ${SINGULAR[unit] ?? unit}`,
    examples: [["It costs $5/hr here.", "It costs five dollars per hour here."]],
  },
  {
    name: "billions and trillions of money",
    pattern: /(?<=[$£€]\d+(?:\.\d+)?)\s?(bn|tn|mn)(?![\p{L}\p{N}])/gu,
    say: (_, letters) => ({ bn: " billion", tn: " trillion", mn: " million" })[letters ?? ""],
    examples: [["It made $1.2tn in all.", "It made one point two trillion dollars in all."]],
  },
  {
    name: "from measure to measure",
    pattern: /(?<=\d\s?(?:°[CF]?|%|st|nd|rd|th|[kcm]?m|kg|g|lbs?|mph|am|pm))\s?[-–—]\s?(?=[$£€]?\d)/gu,
    say: " to ",
    examples: [
      ["It is 10°C–20°C now.", "It is ten degrees Celsius to twenty degrees Celsius now."],
      ["From the 3rd–5th of May.", "From the third to fifth of May."],
    ],
  },
  {
    name: "powers",
    pattern: /(?<=[\p{L}\p{N})\]])(?<!\d\s?[kcdm]?m)([²³⁴-⁹⁰¹]+)(?!\p{L})/gu,
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
    pattern: /(?<=(\d\s?[kcdm]?m)?)(?<=[\p{L}\p{N})])\^(-|−)?(\d+)/gu,
    say: (_, unit = "", sign = "", power = "") => {
      const isSmall = sign === "" && (power === "2" || power === "3");
      if (unit !== "") return isSmall ? { 2: "²", 3: "³" }[power] : undefined;
      if (isSmall) return power === "2" ? " squared" : " cubed";
      return ` to the power of ${sign === "" ? "" : "minus "}${english(power)}`;
    },
    examples: [
      ["It is 2^10 in all.", "It is two to the power of ten in all."],
      ["Take x^2 of it.", "Take x squared of it."],
      ["It has 5 m^2 of room.", "It has five square meters of room."],
    ],
  },
];
