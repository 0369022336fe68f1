/** What the English grammar reads wrong, in the order in which it is put right. */
import { DATES } from "./englishDates.js";
import { MEASURES } from "./englishMeasures.js";
import { NUMBERS } from "./englishNumbers.js";
import type { Rule } from "./rule.js";

export const ENGLISH: readonly Rule[] = [...DATES, ...MEASURES, ...NUMBERS];
