/** Where the model lies that comes with the package and speaks without `--model`. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export function boxedModel(): string {
  return join(dirname(createRequire(import.meta.url).resolve("cosyvoice-webgpu/package.json")), "weights", "tiny");
}
