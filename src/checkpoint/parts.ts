/**
 * What an opened folder consists of, before a dtype is chosen: official releases and converted model folders both end here.
 */
import type { Component, Config } from "../config.js";
import type { FileError } from "../errors.js";
import type { LazyTensor } from "./tensor.js";

export interface Parts {
  readonly config: Config;
  readonly components: ReadonlyMap<Component, ReadonlyMap<string, LazyTensor>>;
  /** Voice name → its tensors. */
  readonly voices: ReadonlyMap<string, ReadonlyMap<string, LazyTensor>>;
  /** Why others cannot be used, by name. */
  readonly damaged: ReadonlyMap<string, FileError>;
  /** Paths inside the folder. */
  readonly tokenizer: { readonly vocab: string; readonly merges: string; readonly config: string };
  /** What was left out or chosen, a line each. */
  readonly warnings: readonly string[];
  close(): Promise<void>;
}

/** Files to close together, also when opening the next one fails. */
export class OpenFiles {
  private readonly closers: (() => Promise<void>)[] = [];

  add<T extends { close(): Promise<void> }>(opened: T): T {
    this.closers.push(() => opened.close());
    return opened;
  }

  async close(): Promise<void> {
    await Promise.all(this.closers.splice(0).map((close) => close()));
  }

  /** Opens, remembers, and closes everything again if `build` fails. */
  async guard<T>(build: () => Promise<T>): Promise<T> {
    try {
      return await build();
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}
