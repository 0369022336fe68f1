/** Progress of long work on stderr: a bar with the time left on a terminal, a plain line every few seconds elsewhere. */
import { Presets, SingleBar } from "cli-progress";

/** Work shorter than this shows nothing. */
const QUIET_MS = 2000;
const LINE_EVERY_MS = 5000;

/** Share of the work after which its speed says something about the rest. */
const TELLING = 0.03;

export interface Progress {
  /** @param done of `total`, in any unit; `total` is infinite while the end is not known */
  update(done: number, total: number, what: string): void;
  stop(): void;
}

/** @param label what is being done, e.g. "converting" */
export function showProgress(label: string): Progress {
  const start = performance.now();
  return process.stderr.isTTY ? bar(label, start) : lines(label, start);
}

function bar(label: string, start: number): Progress {
  let shown: SingleBar | undefined;
  return {
    update(done, total, what) {
      if (shown) shown.update(done, { what });
      else if (performance.now() - start > QUIET_MS) {
        const share = Number.isFinite(total) ? "{bar} {percentage}% | {eta_formatted} left" : "| {duration_formatted}";
        const format = `${label} ${share} | {what}`;
        shown = new SingleBar(
          { format, stream: process.stderr, hideCursor: true, etaBuffer: 100 },
          Presets.shades_classic,
        );
        shown.start(total, done, { what });
      }
    },
    stop() {
      shown?.stop();
    },
  };
}

function lines(label: string, start: number): Progress {
  let next = start + QUIET_MS;
  let last = "";
  return {
    update(done, total, what) {
      const now = performance.now();
      if (now < next) return;
      if (!Number.isFinite(total)) {
        if (what !== last) process.stderr.write(`${label}: ${what}\n`);
        last = what;
      } else {
        if (done <= 0 || done >= total) return;
        const part = done / total;
        const left = `about ${Math.ceil(((now - start) * (1 / part - 1)) / 1000)} s left`;
        process.stderr.write(`${label}: ${Math.floor(100 * part)} %${part < TELLING ? "" : `, ${left}`} (${what})\n`);
      }
      next = now + LINE_EVERY_MS;
    },
    stop() {},
  };
}
