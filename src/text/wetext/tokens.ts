/**
 * Between the two grammars: what the tagger writes, `date { year: "…" month: "…" }`, with the fields of some classes put in the
 * order in which they are spoken (wetext's token parser).
 */
import type { Language } from "../split.js";

/** Fields that come first, in this order, by class. */
const ORDERS: Readonly<Record<Language, ReadonlyMap<string, readonly string[]>>> = {
  zh: new Map([
    ["date", ["year", "month", "day"]],
    ["fraction", ["denominator", "numerator"]],
    ["measure", ["denominator", "numerator", "value"]],
    ["money", ["value", "currency"]],
    ["time", ["noon", "hour", "minute", "second"]],
  ]),
  en: new Map([
    ["date", ["preserve_order", "text", "day", "month", "year"]],
    ["money", ["integer_part", "fractional_part", "quantity", "currency_maj"]],
  ]),
};

interface Token {
  readonly name: string;
  /** In the order they came; a field that came twice has its last value both times. */
  readonly keys: readonly string[];
  readonly values: ReadonlyMap<string, string>;
}

/** The tagged text with its fields in order, or undefined where it is no sequence of tokens. */
export function reorder(tagged: string, language: Language): string | undefined {
  const tokens = parse(tagged);
  return tokens?.map((token) => write(token, ORDERS[language].get(token.name))).join(" ");
}

function write({ name, keys, values }: Token, order: readonly string[] | undefined): string {
  const sorted =
    order === undefined || values.get("preserve_order") === "true"
      ? keys
      : [...order.filter((key) => values.has(key)), ...keys.filter((key) => !order.includes(key))];
  // Escapes are kept by the parser and escaped again here: the verbaliser expects it so.
  const fields = sorted.map((key) => ` ${key}: "${(values.get(key) ?? "").replace(/[\\"]/g, "\\$&")}"`);
  return `${name} {${fields.join("")} }`;
}

function parse(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  const field = /(?<key>[A-Za-z_]+): "(?<value>[^"\\]*(?:\\.[^"\\]*)*)"/sy;
  const open = /(?<name>[A-Za-z_]+) \{ */y;
  const close = /\} */y;
  const blanks = / */y;
  let at = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match?.groups ?? (match ? {} : undefined);
  };
  take(blanks);
  while (at < text.length) {
    const opened = take(open);
    if (opened === undefined) return undefined;
    const keys: string[] = [];
    const values = new Map<string, string>();
    while (take(close) === undefined) {
      const { key, value } = take(field) ?? {};
      if (key === undefined || value === undefined) return undefined;
      keys.push(key);
      values.set(key, value);
      take(blanks);
    }
    tokens.push({ name: opened.name ?? "", keys, values });
  }
  return tokens;
}
