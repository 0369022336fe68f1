/** What the commands that make sound share: the model on a GPU, and progress while it works. */
import type { WeightDtype } from "../checkpoint/model.js";
import { CosyVoice } from "../cosyvoice.js";
import type { Progress } from "../speech.js";
import { interrupted } from "./interrupt.js";
import { warn } from "./output.js";
import { showProgress } from "./progress.js";

const CLOCK_MS = 1000;

export interface Hooks {
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** Shows how far `work` is, under a label, until it ends. */
export function withProgress<T>(label: string, work: (hooks: Hooks) => Promise<T>): Promise<T> {
  const progress = showProgress(label);
  let last: Progress | undefined;
  const show = () => last && progress.update(last.done, last.total, last.what);
  // Work that waits says nothing, and the time goes on.
  const clock = setInterval(show, CLOCK_MS);
  return work({
    signal: interrupted,
    onProgress: (now) => {
      last = now;
      show();
    },
  }).finally(() => {
    clearInterval(clock);
    progress.stop();
  });
}

export interface LoadModelOptions {
  readonly adapter: string | undefined;
  readonly dtype?: WeightDtype | undefined;
  /** A voice the model must know. */
  readonly voice: string | undefined;
}

export async function loadModel(folder: string, { adapter, dtype, voice }: LoadModelOptions): Promise<CosyVoice> {
  const tts = await withProgress("loading", (hooks) =>
    CosyVoice.load(folder, {
      ...(adapter !== undefined ? { adapter } : {}),
      ...(dtype ? { dtype } : {}),
      ...(voice !== undefined ? { voice } : {}),
      ...hooks,
    }),
  );
  warn(tts.warnings);
  return tts;
}

/** A line for people: what the waiting is for, and that it is long on a CPU. */
export function tellAdapter({ adapter: { name, driver, software } }: Pick<CosyVoice, "adapter">): void {
  process.stderr.write(`speaking on ${name} (${driver}${software ? ", a software GPU" : ""})\n`);
}
