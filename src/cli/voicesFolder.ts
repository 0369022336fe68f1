/** A user's own voices: a folder of files `NAME.voice.safetensors`. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Option } from "commander";
import envPaths from "env-paths";
import { InputError } from "../errors.js";
import { asFileError, makeFolder, openFile } from "../platform/nodeFiles.js";
import { readVoice, type StoredVoice } from "../voiceFile.js";

const SUFFIX = ".voice.safetensors";

/** A file name that every system takes; not hidden, and not to be mistaken for that of a file. */
const NAME = /^(?![. ])(?!.*\.safetensors$)[^/\\:*?"<>|\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,50}$/u;

export function voicesOption(flags = "--voices <dir>"): Option {
  return new Option(flags, "the folder of your own voices (default: one of your user; also COSYVOICE_VOICES)");
}

export class VoicesFolder {
  readonly path: string;

  /** @param path of `--voices` */
  constructor(path: string | undefined) {
    const own = () => join(envPaths("cosyvoice", { suffix: "" }).data, "voices");
    this.path = path || process.env.COSYVOICE_VOICES || own();
  }

  /** Where the voice of a name lies, or would. @throws InputError for what is no name */
  fileOf(name: string): string {
    if (!NAME.test(name)) {
      throw new InputError(
        `voice ${JSON.stringify(name)}: a name has 1 to 50 characters, begins with no dot or blank, and holds no control character and none of / \\ : * ? " < > |`,
      );
    }
    return join(this.path, `${name}${SUFFIX}`);
  }

  /** Names of the voices that are there, in order; none when there is no such folder. */
  async names(): Promise<readonly string[]> {
    try {
      const files = await readdir(this.path);
      const names = files.filter((file) => file.endsWith(SUFFIX)).map((file) => file.slice(0, -SUFFIX.length));
      return names.filter((name) => NAME.test(name)).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw asFileError(error, this.path);
    }
  }

  /** @throws FileError when its file is damaged */
  async read(name: string): Promise<StoredVoice> {
    const file = await openFile(this.fileOf(name));
    return readVoice(file).finally(() => file.close());
  }

  make(): Promise<void> {
    return makeFolder(this.path);
  }

  /** @returns the file it removed. @throws InputError naming the voices there are */
  async remove(name: string): Promise<string> {
    const path = this.fileOf(name);
    const names = await this.names();
    if (!names.includes(name)) throw new InputError(unknownVoice(name, { [this.path]: names }));
    try {
      await rm(path);
    } catch (error) {
      throw asFileError(error, path);
    }
    return path;
  }
}

/** @param places where it was looked for, each with the names it has */
export function unknownVoice(name: string, places: Readonly<Record<string, readonly string[]>>): string {
  const lists = Object.entries(places).map(([place, names]) => {
    const quoted = names.map((one) => JSON.stringify(one)).join(", ");
    return `${place} has ${quoted || "none"}`;
  });
  return `voice ${JSON.stringify(name)} is unknown; ${lists.join("; ")}`;
}
