/**
 * The yaml of a release, as plain objects. Its tags (HyperPyYAML: `!new:`, `!name:`, `!apply:`, `!ref`) ask Python to build
 * objects; here a tagged map is just a map with its tag under "!", and `!ref <a> * <b>` is replaced by its value.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument, visit } from "yaml";
import { FileError } from "../errors.js";
import { printable } from "./printable.js";

export type Yaml = null | boolean | number | string | Yaml[] | YamlMap;
export interface YamlMap {
  readonly [key: string]: Yaml;
}

/** The release's file has 7,330 characters. */
const MAX_TEXT = 1 << 17;
/** Values made, copies by reference and alias included. */
const MAX_VALUES = 100_000;
const MAX_DEPTH = 64;

const REFERENCE = /<([^<>]+)>/g;

/** @throws FileError when the text is not yaml, a reference leads nowhere or in a circle, or it unfolds without end. */
export function parseHyperpyyaml(text: string, name: string): YamlMap {
  if (text.length > MAX_TEXT) throw new FileError(`${name}: ${text.length} characters, at most ${MAX_TEXT}`);
  try {
    // The parser's own search for keys that are there twice takes time that grows with the square of their number.
    const document = parseDocument(text, { logLevel: "silent", uniqueKeys: false });
    const [problem] = document.errors;
    if (problem) throw new FileError(`${name}: ${firstLine(problem)}`);
    const root = document.contents;
    if (!isMap(root)) throw new FileError(`${name}: not a yaml mapping`);
    return new Builder(name, root, anchorsOf(document, name)).map(root, 0);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`${name}: not readable as yaml (${firstLine(error)})`);
  }
}

function firstLine(error: unknown): string {
  return printable((error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "");
}

/** Nodes by anchor. Looking each alias up in the document would take time that grows with the square of its length. */
function anchorsOf(document: Document, name: string): ReadonlyMap<string, Node> {
  const anchors = new Map<string, Node>();
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node) || !node.anchor) return;
      if (anchors.has(node.anchor)) throw new FileError(`${name}: anchor "${printable(node.anchor)}" is there twice`);
      anchors.set(node.anchor, node);
    },
  });
  return anchors;
}

class Builder {
  private made = 0;

  constructor(
    private readonly name: string,
    private readonly root: Node,
    private readonly anchors: ReadonlyMap<string, Node>,
  ) {}

  map(node: Node, depth: number): YamlMap {
    const value = this.value(node, depth);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.error("not a mapping");
    return value;
  }

  private value(node: Node | null | undefined, depth: number): Yaml {
    if (++this.made > MAX_VALUES) throw this.error(`more than ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH) throw this.error(`nested or referring deeper than ${MAX_DEPTH} levels`);
    if (isAlias(node)) return this.value(this.anchors.get(node.source), depth + 1);
    if (isSeq(node)) return node.items.map((item) => this.value(item as Node, depth + 1));
    if (isMap(node)) {
      const entries = new Map<string, Yaml>(node.tag?.startsWith("!") ? [["!", node.tag.slice(1)]] : []);
      for (const item of node.items) {
        const key = String(isScalar(item.key) ? item.key.value : item.key);
        if (entries.has(key)) throw this.error(`key "${printable(key)}" is there twice`);
        entries.set(key, this.value(item.value as Node | null, depth + 1));
      }
      return Object.fromEntries(entries);
    }
    if (!isScalar(node)) return null;
    const { value } = node;
    if (node.tag === "!ref") return this.reference(String(value), depth);
    if (typeof value === "number" || typeof value === "boolean" || typeof value === "string") return value;
    return null;
  }

  /** `<a>`, `<a[b]>`, arithmetic over such, or text with such inside. */
  private reference(text: string, depth: number): Yaml {
    const whole = /^<([^<>]+)>$/.exec(text.trim());
    if (whole) return this.lookup(whole[1] as string, depth);
    const values = new Map<string, Yaml>();
    for (const [, path = ""] of text.matchAll(REFERENCE)) values.set(path, this.lookup(path, depth));
    const fill = (write: (value: Yaml | undefined) => string) =>
      text.replace(REFERENCE, (_, path: string) => write(values.get(path)));
    return arithmetic(fill((value) => `(${String(value)})`)) ?? fill(String);
  }

  private lookup(path: string, depth: number): Yaml {
    let node: Node | null | undefined = this.root;
    for (const key of path.split(/[[\]]+/).filter((part) => part !== "")) {
      if (isAlias(node)) node = this.anchors.get(node.source);
      node =
        isMap(node) || isSeq(node) ? (node.get(isSeq(node) ? Number(key) : key, true) as Node | undefined) : undefined;
      if (!node) throw this.error(`<${printable(path)}> refers to nothing`);
    }
    return this.value(node, depth + 1);
  }

  private error(what: string): FileError {
    return new FileError(`${this.name}: ${what}`);
  }
}

/** Value of an expression of numbers, + - * / // ** % and parentheses, or undefined when the text is none. */
function arithmetic(text: string): number | undefined {
  const tokens = text.match(/\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|\*\*|\/\/|[-+*/%()]|\S/g) ?? [];
  let at = 0;
  const levels: Readonly<Record<string, (a: number, b: number) => number>>[] = [
    { "+": (a, b) => a + b, "-": (a, b) => a - b },
    {
      "*": (a, b) => a * b,
      "/": (a, b) => a / b,
      "//": (a, b) => Math.floor(a / b),
      "%": (a, b) => a - b * Math.floor(a / b),
    },
  ];
  const binary = (level: number): number => {
    const operators = levels[level];
    if (!operators) return unary();
    let left = binary(level + 1);
    for (let apply = operators[tokens[at] ?? ""]; apply; apply = operators[tokens[at] ?? ""]) {
      at++;
      left = apply(left, binary(level + 1));
    }
    return left;
  };
  const unary = (): number => {
    if (tokens[at] === "-") {
      at++;
      return -unary();
    }
    const base = atom();
    if (tokens[at] !== "**") return base;
    at++;
    return base ** unary();
  };
  const atom = (): number => {
    const token = tokens[at++];
    if (token !== "(") return Number(token ?? Number.NaN);
    const inner = binary(0);
    return tokens[at++] === ")" ? inner : Number.NaN;
  };
  const value = binary(0);
  return at === tokens.length && Number.isFinite(value) ? value : undefined;
}
