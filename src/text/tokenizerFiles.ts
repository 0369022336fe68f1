/** Reads and checks the three files of a tokenizer: `vocab.json`, `merges.txt` and `tokenizer_config.json`. */
import { FileError } from "../errors.js";

/** The text of each file. */
export interface TokenizerFiles {
  readonly vocabJson: string;
  readonly mergesTxt: string;
  readonly tokenizerConfigJson: string;
}

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  readonly normalized: boolean;
}

export interface TokenizerParts {
  /** Id of every byte-level token. */
  readonly vocab: Readonly<Record<string, number>>;
  /** Pairs that are joined, best first. */
  readonly merges: readonly (readonly [string, string])[];
  readonly addedTokens: readonly AddedToken[];
}

/** Bounds for files from strangers: the release has 2.8 MB, 1.4 MB, 1.3 kB, ids below 151,663 and 134,935 merges. */
const MAX_FILE_LENGTH = 64 * 2 ** 20;
const MAX_IDS = 2 ** 20;
const MAX_MERGES = 2 ** 21;
const MAX_ADDED = 4096;
const MAX_TOKEN_LENGTH = 4096;

/** The tokens that CosyVoice2 gives its tokenizer, in order; those a file already declares keep their ids. */
const COSYVOICE2_TOKENS = [
  ...["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|endofprompt|>"],
  ...["[breath]", "<strong>", "</strong>", "[noise]", "[laughter]", "[cough]", "[clucking]", "[accent]"],
  ...["[quick_breath]", "<laughter>", "</laughter>", "[hissing]", "[sigh]", "[vocalized-noise]", "[lipsmack]", "[mn]"],
];

/** @throws FileError naming the file, the rule and the value. */
export function parseTokenizerFiles(files: TokenizerFiles): TokenizerParts {
  const vocab = parseVocab(files.vocabJson);
  const merges = parseMerges(files.mergesTxt, vocab);
  const declared = parseAddedTokens(files.tokenizerConfigJson, vocab);
  return { vocab, merges, addedTokens: addCosyVoiceTokens(declared, vocab) };
}

function parseVocab(json: string): Record<string, number> {
  const file = "vocab.json";
  const vocab = parseObject(file, json);
  const byId = new Map<number, string>();
  for (const [token, id] of Object.entries(vocab)) {
    checkToken(file, token);
    if (typeof id !== "number" || !isId(id)) {
      throw new FileError(`${file}: ${show(token)} has id ${show(id)}, an id is an integer from 0 to ${MAX_IDS - 1}`);
    }
    const other = byId.get(id);
    if (other !== undefined) throw new FileError(`${file}: ${show(other)} and ${show(token)} both have id ${id}`);
    byId.set(id, token);
  }
  for (const byte of BYTE_TOKENS) {
    if (!Object.hasOwn(vocab, byte)) {
      throw new FileError(`${file}: the byte token ${show(byte)} is missing, a byte-level vocabulary has all 256`);
    }
  }
  return vocab as Record<string, number>;
}

/** One `left right` pair a line; a `#version` header and blank lines are skipped. Nothing else is ever left out. */
function parseMerges(text: string, vocab: Readonly<Record<string, number>>): [string, string][] {
  const file = "merges.txt";
  checkLength(file, text);
  const merges: [string, string][] = [];
  let number = 0;
  for (const line of lines(text)) {
    number++;
    if (line === "" || (number === 1 && line.startsWith("#version"))) continue;
    const [left, right, ...more] = line.split(" ");
    if (!left || !right || more.length > 0) {
      throw new FileError(`${file}: line ${number} is ${show(line)}, expected two tokens with one blank between them`);
    }
    for (const token of [left, right, left + right]) {
      if (!Object.hasOwn(vocab, token)) {
        throw new FileError(
          `${file}: line ${number} uses ${show(token)}, which vocab.json lacks; are both of one model?`,
        );
      }
    }
    if (merges.push([left, right]) > MAX_MERGES) throw new FileError(`${file}: more than ${MAX_MERGES} merges`);
  }
  return merges;
}

/** Lines without their ends, one at a time: a file of line feeds must not become millions of strings at once. */
function* lines(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const feed = text.indexOf("\n", start);
    const end = feed < 0 ? text.length : feed;
    yield text.slice(start, text.charAt(end - 1) === "\r" && end > start ? end - 1 : end);
    start = end + 1;
  }
}

function parseAddedTokens(json: string, vocab: Readonly<Record<string, number>>): AddedToken[] {
  const file = "tokenizer_config.json";
  const declared = parseObject(file, json).added_tokens_decoder ?? {};
  if (!isObject(declared))
    throw new FileError(`${file}: added_tokens_decoder is ${show(declared)}, expected an object`);
  const entries = Object.entries(declared);
  if (entries.length > MAX_ADDED) {
    throw new FileError(`${file}: ${entries.length} added tokens, at most ${MAX_ADDED} are accepted`);
  }
  const ids = new Set(Object.values(vocab));
  const contents = new Set<string>();
  return entries.map(([key, entry]) => {
    const id = /^\d{1,9}$/.test(key) ? Number(key) : -1;
    if (!isId(id))
      throw new FileError(`${file}: added token id ${show(key)} is not an integer from 0 to ${MAX_IDS - 1}`);
    const content = isObject(entry) ? entry.content : undefined;
    if (!isObject(entry) || typeof content !== "string" || content === "") {
      throw new FileError(`${file}: added token ${key} has no text in "content"`);
    }
    checkToken(file, content);
    const inVocab = Object.hasOwn(vocab, content) ? vocab[content] : undefined;
    if (inVocab !== undefined ? inVocab !== id : ids.has(id)) {
      throw new FileError(`${file}: added token ${show(content)} has id ${id}, which contradicts vocab.json`);
    }
    if (contents.has(content)) throw new FileError(`${file}: added token ${show(content)} is declared twice`);
    contents.add(content);
    for (const flag of ["lstrip", "rstrip", "single_word"]) {
      if (entry[flag] === true) {
        throw new FileError(
          `${file}: added token ${show(content)} sets ${flag}, which CosyVoice2 tokenizers do not use`,
        );
      }
    }
    const special = entry.special === true;
    const normalized = typeof entry.normalized === "boolean" ? entry.normalized : !special;
    return { id, content, special, normalized };
  });
}

/** New ids follow the highest added id, or the vocabulary where that ends higher. */
function addCosyVoiceTokens(
  declared: readonly AddedToken[],
  vocab: Readonly<Record<string, number>>,
): readonly AddedToken[] {
  const known = new Set(declared.map((token) => token.content));
  let next = Object.keys(vocab).length;
  for (const { id } of declared) next = Math.max(next, id + 1);
  const added = [...declared];
  for (const content of COSYVOICE2_TOKENS) {
    if (known.has(content)) continue;
    const inVocab = Object.hasOwn(vocab, content) ? vocab[content] : undefined;
    added.push({ id: inVocab ?? next++, content, special: true, normalized: false });
  }
  return added;
}

/** The printable stand-ins of the 256 bytes (GPT-2): Latin-1's visible characters, and U+0100 upward for the others. */
const BYTE_TOKENS: readonly string[] = (() => {
  const isVisible = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte <= 0xff && byte !== 0xad);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isVisible(byte) ? byte : next++));
})();

function parseObject(file: string, json: string): Record<string, unknown> {
  checkLength(file, json);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new FileError(`${file}: not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!isObject(value)) throw new FileError(`${file}: expected a JSON object, found ${show(value)}`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id < MAX_IDS;
}

function checkLength(file: string, text: string): void {
  if (text.length > MAX_FILE_LENGTH) {
    throw new FileError(`${file}: ${text.length} characters, at most ${MAX_FILE_LENGTH} are accepted`);
  }
}

function checkToken(file: string, token: string): void {
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new FileError(`${file}: a token of ${token.length} characters, at most ${MAX_TOKEN_LENGTH} are accepted`);
  }
}

/** A value for a message, short even if it is not. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
