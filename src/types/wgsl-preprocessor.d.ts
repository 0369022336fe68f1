/** The package ships no types. Values are text, numbers or flags: anything else would be joined as `undefined` or `[object Object]`. */
declare module "wgsl-preprocessor/wgsl-preprocessor.js" {
  export function wgsl(strings: TemplateStringsArray, ...values: (string | number | boolean)[]): string;
}
