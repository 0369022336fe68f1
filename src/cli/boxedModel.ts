/** Which model a command uses when none is named. */
import { packagedVoice } from "#platform";

/** The folder of `--model`; without it that of COSYVOICE_MODEL, and without that the English voice in this package. */
export function modelFolder(model: string | undefined): string {
  return model ?? (process.env.COSYVOICE_MODEL || packagedVoice());
}
