/** The part of `@huggingface/tokenizers` in use: its own declarations have no file suffixes, which `NodeNext` needs. */
declare module "@huggingface/tokenizers" {
  export class Tokenizer {
    /** @param description the content of a `tokenizer.json`; @param config that of a `tokenizer_config.json` */
    constructor(description: object, config: object);
    /** Called on every stretch of text between added tokens. */
    normalizer: ((text: string) => string) | null;
    encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: number[] };
    decode(ids: number[], options: { readonly skip_special_tokens: boolean }): string;
    id_to_token(id: number): string | undefined;
  }
}
