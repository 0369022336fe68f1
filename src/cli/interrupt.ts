/** Ctrl-C as an AbortSignal: the first one asks the work to stop and clean up, the second ends the process at once. */

/** What a shell expects of a program that was interrupted: 128 + SIGINT. */
export const INTERRUPTED_STATUS = 130;

const controller = new AbortController();

/** Fires when the user presses Ctrl-C (or the process is asked to end). */
export const interrupted: AbortSignal = controller.signal;

/** Asks the work to stop and clean up, as Ctrl-C does. */
export function cancelWork(): void {
  controller.abort();
}

/** Starts listening. Called once, by `main`. */
export function listenForInterrupts(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(INTERRUPTED_STATUS);
      controller.abort();
    });
  }
}
