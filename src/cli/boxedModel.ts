/** Where the model lies that comes with the package and speaks without `--model`. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The folder of `--model`. Without it, it is the package's, and a line says what to expect of that. */
export function modelFolder(model: string | undefined): string {
  if (model !== undefined) return model;
  process.stderr.write("no --model: a tiny model with random weights speaks, which gives noise of the right length\n");
  return boxedModel();
}

export function boxedModel(): string {
  return join(dirname(createRequire(import.meta.url).resolve("cosyvoice-webgpu/package.json")), "weights", "tiny");
}
