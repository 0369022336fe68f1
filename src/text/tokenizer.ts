/**
 * Byte-level BPE tokenizer of CosyVoice2 (Qwen2's form), built from the files of `CosyVoice-BlankEN` on
 * `@huggingface/tokenizers`. The ids equal those of the native tokenizer that the official code runs.
 */
import { Tokenizer as Library } from "@huggingface/tokenizers";
import { InputError } from "../errors.js";
import { type AddedToken, parseTokenizerFiles, type TokenizerFiles } from "./tokenizerFiles.js";
import { LETTERS_AFTER_UNICODE_16, nativeNfc, wellFormed } from "./unicode.js";

export type { TokenizerFiles } from "./tokenizerFiles.js";

export interface Tokenizer {
  /** Token ids [T] of a text; nothing is put around them. Added tokens such as `[laughter]` are always recognised. */
  encode(text: string): number[];
  /** The text of ids. Bytes that are not UTF-8 become U+FFFD. Throws InputError for an id that is not in the vocabulary. */
  decode(ids: readonly number[]): string;
  /** Highest id + 1: the least number of rows of a text embedding. */
  readonly size: number;
  /** Ids of the added tokens by their text. */
  readonly specials: ReadonlyMap<string, number>;
}

/**
 * Qwen2's pre-tokenization: contractions; letters with one leading other character; single digits; runs of other
 * characters; line breaks; blanks. Letters are those of Unicode 16, and the case-insensitive `'s` includes U+017F (long s),
 * both as in the regular expressions of the native tokenizer.
 */
const LETTER = `(?:(?![${LETTERS_AFTER_UNICODE_16}])\\p{L})`;
const OTHER = `(?:[^\\s\\p{L}\\p{N}]|[${LETTERS_AFTER_UNICODE_16}])`;
const PREFIX = `(?:[^\\r\\n\\p{L}\\p{N}]|[${LETTERS_AFTER_UNICODE_16}])`;
const PRE_TOKEN = [
  "'[sS\\u017f]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]",
  `${PREFIX}?${LETTER}+`,
  `(?![${LETTERS_AFTER_UNICODE_16}])\\p{N}`,
  ` ?${OTHER}+[\\r\\n]*`,
  "\\s*[\\r\\n]+",
  "\\s+(?!\\S)",
  "\\s+",
].join("|");

const BYTE_LEVEL = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false };

/**
 * Builds the tokenizer from the text of its three files.
 * @throws FileError naming the file and the rule it breaks.
 */
export function loadTokenizer(files: TokenizerFiles): Tokenizer {
  const { vocab, merges, addedTokens } = parseTokenizerFiles(files);
  const library = new Library(
    {
      added_tokens: addedTokens,
      normalizer: null,
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Split", pattern: { Regex: PRE_TOKEN }, behavior: "Isolated", invert: false },
          BYTE_LEVEL,
        ],
      },
      post_processor: null,
      decoder: BYTE_LEVEL,
      model: { type: "BPE", unk_token: null, vocab, merges },
    },
    { clean_up_tokenization_spaces: false },
  );
  library.normalizer = nativeNfc;
  return new LibraryTokenizer(library, vocab, addedTokens);
}

class LibraryTokenizer implements Tokenizer {
  readonly size: number;
  readonly specials: ReadonlyMap<string, number>;
  private readonly library: Library;

  constructor(library: Library, vocab: Readonly<Record<string, number>>, addedTokens: readonly AddedToken[]) {
    this.library = library;
    this.specials = new Map(addedTokens.map((token) => [token.content, token.id]));
    let highest = -1;
    for (const id of Object.values(vocab)) highest = Math.max(highest, id);
    for (const { id } of addedTokens) highest = Math.max(highest, id);
    this.size = highest + 1;
  }

  encode(text: string): number[] {
    return this.library.encode(wellFormed(text), { add_special_tokens: false }).ids;
  }

  decode(ids: readonly number[]): string {
    const unknown = ids.find((id) => this.library.id_to_token(id) === undefined);
    if (unknown !== undefined) {
      throw new InputError(`tokenizer: id ${unknown} has no token, ids run from 0 to ${this.size - 1}`);
    }
    return ids.length === 0 ? "" : this.library.decode([...ids], { skip_special_tokens: false });
  }
}
