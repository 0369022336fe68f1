/** Options that nobody knows are refused: one that is misspelt would do nothing, and nobody would hear of it. */
import { InputError } from "./errors.js";

/** @param known what the call takes, by name. @throws InputError naming it and the ones there are */
export function checkNames(call: string, options: object, known: Readonly<Record<string, true>>): void {
  const stranger = Object.keys(options).find((name) => !Object.hasOwn(known, name));
  if (stranger !== undefined) {
    throw new InputError(
      `${call}: there is no option ${JSON.stringify(stranger)}; it takes ${Object.keys(known).join(", ")}`,
    );
  }
}

/** @throws InputError naming the values there are */
export function checkChoice(option: string, value: unknown, choices: readonly string[]): void {
  if (value === undefined || choices.some((choice) => choice === value)) return;
  const known = choices.map((choice) => JSON.stringify(choice)).join(", ");
  throw new InputError(`${option} ${JSON.stringify(value)} is unknown; it is one of ${known}, or left out`);
}
