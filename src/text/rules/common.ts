/** Rules of every language: digits and marks of other widths and shapes to those that the grammars know. */
import type { Rule } from "./rule.js";

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳";

export const COMMON: readonly Rule[] = [
  {
    name: "wide digits, letters and percent signs",
    pattern: /[０-９Ａ-Ｚａ-ｚ％＋＝／＃＆＠＄～]/gu,
    say: (wide) => wide.normalize("NFKC"),
    examples: [
      ["下降了12％。", "下降了百分之十二。"],
      ["It fell by １２％.", "It fell by twelve percent."],
    ],
  },
  {
    name: "a wide point or comma between digits",
    pattern: /(?<=\d)[．，](?=\d{3}(?!\d))|(?<=\d)．(?=\d)/gu,
    say: (mark) => (mark === "，" ? "," : "."),
    examples: [["値段は1，980円です。", "値段は一千九百八十円です。"]],
  },
  {
    name: "a blank before a percent sign",
    pattern: /(?<=\d)\s+(?=[%‰])/gu,
    say: "",
    examples: [
      ["剩下50 %。", "剩下百分之五十。"],
      ["Only 50 % left.", "Only fifty percent left."],
    ],
  },
  {
    name: "a minus or a dash of another shape between digits or before one",
    pattern: /(?<=\d)\s?[‐‑‒–—−－]\s?(?=[$£€¥￥]?\d)|(?<![\p{Script=Latin}\p{N}])[‒–−－](?=\d)/gu,
    say: "-",
    examples: [
      ["pages 19–72", "pages nineteen to seventy two."],
      ["It is −5 degrees.", "It is negative five degrees."],
      ["气温－5℃。", "气温负五摄氏度。"],
    ],
  },
  {
    name: "blanks around the colon of a time",
    pattern: /(?<![\d:])([01]?\d|2[0-4]) : ([0-5]\d)(?![\d:])/gu,
    say: "$1:$2",
    examples: [["It is 9 : 30 now.", "It is nine thirty now."]],
  },
  {
    name: "digits below the line",
    pattern: new RegExp(`[${SUBSCRIPTS}]`, "gu"),
    say: (digit) => String(SUBSCRIPTS.indexOf(digit)),
    examples: [["CO₂ rises.", "CO two rises."]],
  },
  {
    name: "circled numbers of a list",
    pattern: new RegExp(`([${CIRCLED}])\\s*(?=(\\p{Script=Han}|.)?)`, "gsu"),
    say: (_, circled = "", next) =>
      `${CIRCLED.indexOf(circled) + 1}${next === undefined || next === "" ? "" : /\p{Script=Han}/u.test(next) ? "，" : ", "}`,
    examples: [
      ["①苹果，②梨。", "一，苹果，二，梨。"],
      ["① Apples", "one, Apples."],
    ],
  },
];
