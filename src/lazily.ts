/** Parts of the program that are loaded when they are first needed: in a page, files of their own. */
import { FileError } from "./errors.js";

/**
 * @param what the part, for messages
 * @param instead another way out
 * @throws FileError when it does not come: a page's server lacks the file, or the network is gone
 */
export async function lazily<T>(what: string, load: () => Promise<T>, instead = ""): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const rule = "every file that the bundler wrote must be on the server";
    throw new FileError(`${what} did not load (${reason}); ${rule}${instead && `, ${instead}`}`, { cause: error });
  }
}
