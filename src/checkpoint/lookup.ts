/**
 * Values of a yaml or json object by path, each checked. A value that is missing or odd gives one line with file, path, rule.
 */
import { FileError } from "../errors.js";

/** Beyond any real layer count, width or rate; keeps a hostile number from becoming an allocation. */
const MAX_INTEGER = 1 << 24;

export class Lookup {
  constructor(
    /** For messages. */
    readonly name: string,
    private readonly root: unknown,
  ) {}

  /** The value at "a.b.c", or undefined. */
  at(path: string): unknown {
    let value = this.root;
    for (const key of path.split(".")) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as Record<string, unknown>)[key];
    }
    return value === null ? undefined : value;
  }

  /** A whole number, `least` .. `most`. Without a fallback it must be there. */
  int(path: string, fallback?: number, least = 0, most = MAX_INTEGER): number {
    const value = this.number(path, fallback);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw this.error(path, value, `a whole number from ${least} to ${most}`);
    }
    return value;
  }

  number(path: string, fallback?: number): number {
    const value = this.at(path) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) throw this.error(path, value, "a number");
    return value;
  }

  /** A list of 1 to 64 whole numbers, 1 .. `most`. */
  ints(path: string, most = MAX_INTEGER): number[] {
    const value = this.at(path);
    const rule = `a list of whole numbers from 1 to ${most}`;
    if (!Array.isArray(value) || value.length < 1 || value.length > 64) throw this.error(path, value, rule);
    return value.map((item) => {
      if (!Number.isInteger(item) || item < 1 || item > most) throw this.error(path, value, rule);
      return item as number;
    });
  }

  /** A list of such lists. */
  intLists(path: string, most = MAX_INTEGER): number[][] {
    const value = this.at(path);
    if (!Array.isArray(value) || value.length < 1 || value.length > 64)
      throw this.error(path, value, "a list of lists");
    return value.map((_, i) => this.ints(`${path}.${i}`, most));
  }

  /** A text of 1 to `most` characters. */
  text(path: string, most: number): string {
    const value = this.at(path);
    if (typeof value !== "string" || value === "" || value.length > most) {
      throw this.error(path, value, `a text of 1 to ${most} characters`);
    }
    return value;
  }

  /** A list of 1 to 64 of some texts, or of any of up to 64 characters. */
  texts<Text extends string = string>(path: string, known?: readonly Text[]): Text[] {
    const value = this.at(path);
    const rule = `a list of ${known ? known.map((one) => JSON.stringify(one)).join(", ") : "1 to 64 texts"}`;
    const fits = (item: unknown) =>
      typeof item === "string" && item !== "" && item.length <= 64 && (known?.some((one) => one === item) ?? true);
    if (!Array.isArray(value) || value.length < 1 || value.length > 64 || !value.every(fits)) {
      throw this.error(path, value, rule);
    }
    return value as Text[];
  }

  error(path: string, value: unknown, rule: string): FileError {
    return new FileError(
      `${this.name}: ${path} is ${JSON.stringify(value)?.slice(0, 80) ?? "missing"}, expected ${rule}`,
    );
  }
}
