/** Which model a command uses when none is named. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The folder of `--model`; without it that of COSYVOICE_MODEL, and without that the English voice in this package. */
export function modelFolder(model: string | undefined): string {
  return model ?? (process.env.COSYVOICE_MODEL || boxedModel());
}

function boxedModel(): string {
  return join(dirname(createRequire(import.meta.url).resolve("cosyvoice-webgpu/package.json")), "weights", "english");
}
