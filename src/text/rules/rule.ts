/**
 * What the official grammars read wrong is rewritten before they see it, by tables of rules: written as they read it right, or in words.
 * Examples stand beside each rule and are its test.
 */
export interface Rule {
  readonly name: string;
  /** Global. Its groups are given to `say`. */
  readonly pattern: RegExp;
  /** What stands there instead, as `String.replace` takes it; undefined leaves it. */
  readonly say: string | ((...groups: readonly string[]) => string | undefined);
  /** A text, and how it is spoken in the end. */
  readonly examples: readonly (readonly [written: string, spoken: string])[];
}

/** All rules, one after the other. */
export function applyRules(text: string, rules: readonly Rule[]): string {
  return rules.reduce((written, { pattern, say }) => {
    if (typeof say === "string") return written.replace(pattern, say);
    // The whole match comes first, place and text last.
    return written.replace(pattern, (match: string, ...rest: unknown[]) => {
      const groups = rest.slice(
        0,
        rest.findIndex((item) => typeof item === "number"),
      ) as (string | undefined)[];
      return say(match, ...groups.map((group) => group ?? "")) ?? match;
    });
  }, text);
}
