/** The text normaliser's grammars as modules, which the build makes of `weights/wetext`: base64 of the packed files. */
declare module "#grammars/*" {
  export const tagger: string;
  export const verbalizer: string;
}
