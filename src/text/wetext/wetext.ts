/**
 * Numbers, dates, money and units as the official front end reads them: the grammars of wetext, run as wetext 0.1.8 runs them.
 * Where that raises or hangs, the text is kept.
 */
import type { Folder } from "../../checkpoint/source.js";
import { FileError } from "../../errors.js";
import type { TextNormalizer } from "../normalize.js";
import type { Language } from "../split.js";
import { isPythonDigits, strip } from "../unicode.js";
import type { Fst } from "./fst.js";
import { readPackedFst } from "./packed.js";
import { readInParts } from "./parts.js";
import { transduce } from "./search.js";
import { reorder } from "./tokens.js";

interface Grammars {
  readonly tagger: Fst;
  readonly verbalizer: Fst;
}

/** Longer texts, in UTF-16 units, are read in parts from the start: a search takes up to 6 kB for each. */
const MAX_LENGTH = 200_000;

/** Loads each language's grammars when a text first needs them. */
export class Wetext {
  private readonly loaded = new Map<Language, Promise<Grammars>>();

  /** @param openFolder finds the folder of the packed grammars */
  constructor(private readonly openFolder: () => Promise<Folder>) {}

  /**
   * The normaliser of one text.
   * @throws FileError when the grammars it needs cannot be read.
   */
  async normalizerFor(text: string): Promise<TextNormalizer> {
    const language = grammarFor(strip(text));
    if (language === undefined) return strip;
    const grammars = await this.grammars(language);
    return (again) => normalizeWith(grammars, language, strip(again));
  }

  /**
   * The normaliser of a language, whatever a text looks like.
   * @throws FileError when its grammars cannot be read.
   */
  async normalizerOf(language: Language): Promise<TextNormalizer> {
    const grammars = await this.grammars(language);
    return (text) => normalizeWith(grammars, language, strip(text));
  }

  private grammars(language: Language): Promise<Grammars> {
    const known = this.loaded.get(language);
    if (known !== undefined) return known;
    const loading = loadGrammars(this.openFolder, language);
    this.loaded.set(language, loading);
    // A failure, of a network say, need not last.
    loading.catch(() => this.loaded.delete(language));
    return loading;
  }
}

/** Whose grammars a stripped text needs; undefined where it is left alone. */
function grammarFor(text: string): Language | undefined {
  const isChinese = /[\u4e00-\u9fff]/.test(text) || isPythonDigits(text);
  if (isChinese) return /\p{Nd}/u.test(text) ? "zh" : undefined;
  return text === "" ? undefined : "en";
}

async function loadGrammars(openFolder: () => Promise<Folder>, language: Language): Promise<Grammars> {
  try {
    const folder = await openFolder();
    const load = async (part: string) => {
      const file = await folder.open(`${language}-${part}.packed`);
      return readPackedFst(file).finally(() => file.close());
    };
    return { tagger: await load("tagger"), verbalizer: await load("verbalizer") };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new FileError(`${error.message}; without this grammar, choose the normaliser "none"`, { cause: error });
  }
}

function normalizeWith(grammars: Grammars, language: Language, text: string): string {
  const read = (part: string) => readWhole(grammars, language, part);
  return read(text) ?? strip(readInParts(text, read));
}

/** The tagger, the order of fields, the verbaliser; undefined where the original raises, hangs or is left with nothing. */
function readWhole({ tagger, verbalizer }: Grammars, language: Language, text: string): string | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const tagged = apply(tagger, text);
  const ordered = tagged === undefined ? undefined : reorder(tagged, language);
  return ordered === undefined ? undefined : apply(verbalizer, ordered);
}

function apply(grammar: Fst, text: string): string | undefined {
  const bytes = transduce(grammar, new TextEncoder().encode(text));
  if (bytes === undefined || bytes.length === 0) return undefined;
  try {
    return strip(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)) || undefined;
  } catch {
    // The best path may cut through a character.
    return undefined;
  }
}
