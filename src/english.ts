/**
 * The English voice in this package, for `CosyVoice.load`: in a page too, whose bundler copies what is spelled out like this. A page
 * that does not import it does not carry it. Seen from the compiled file; each address is made when it is asked for, since a bundle
 * without import.meta.url has none.
 */
import type { FilesByPath } from "./modelSource.js";

export const english: FilesByPath = {
  get "manifest.json"() {
    return new URL("../../weights/english/manifest.json", import.meta.url);
  },
  get "config.json"() {
    return new URL("../../weights/english/config.json", import.meta.url);
  },
  get "lm.safetensors"() {
    return new URL("../../weights/english/lm.safetensors", import.meta.url);
  },
  get "flow.safetensors"() {
    return new URL("../../weights/english/flow.safetensors", import.meta.url);
  },
  get "vocoder.safetensors"() {
    return new URL("../../weights/english/vocoder.safetensors", import.meta.url);
  },
  get "speechTokenizer.safetensors"() {
    return new URL("../../weights/english/speechTokenizer.safetensors", import.meta.url);
  },
  get "speaker.safetensors"() {
    return new URL("../../weights/english/speaker.safetensors", import.meta.url);
  },
  get "voices.safetensors"() {
    return new URL("../../weights/english/voices.safetensors", import.meta.url);
  },
  get "tokenizer/vocab.json"() {
    return new URL("../../weights/english/tokenizer/vocab.json", import.meta.url);
  },
  get "tokenizer/merges.txt"() {
    return new URL("../../weights/english/tokenizer/merges.txt", import.meta.url);
  },
  get "tokenizer/tokenizer_config.json"() {
    return new URL("../../weights/english/tokenizer/tokenizer_config.json", import.meta.url);
  },
};
