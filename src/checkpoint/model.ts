/**
 * A model ready to be read tensor by tensor: a converted model folder or an official release folder, behind one interface.
 */
import type { Component, Config } from "../config.js";

/** How matrices are kept: whole floats or halves. Vectors, and parts that need the precision, stay whole either way. */
export type WeightDtype = "f32" | "f16";

export interface WeightInfo {
  readonly shape: readonly number[];
  /** The type this tensor has in a model folder of the model's dtype. */
  readonly dtype: "F32" | "F16";
  /** Product of `shape`. */
  readonly elements: number;
}

/** The tensors of one component, by official state-dict name. Nothing is held: every call reads. */
export interface WeightSource {
  readonly component: Component;
  names(): readonly string[];
  has(name: string): boolean;
  /** @throws FileError when there is no such tensor. */
  info(name: string): WeightInfo;
  /** All values as floats. */
  read(name: string): Promise<Float32Array>;
  /** `count` values from element `start` of the row-major tensor. */
  readSlice(name: string, start: number, count: number): Promise<Float32Array>;
  /**
   * The same values as little-endian bytes, 4 or 2 for each, without a detour where the file already holds that type. The
   * bytes start at an offset that is a multiple of 4 in their buffer.
   * @throws FileError when a value is not finite, or does not fit a half.
   */
  readBytes(name: string, dtype: WeightDtype, start: number, count: number): Promise<Uint8Array>;
}

/** One tensor of a voice: ids as integers, everything else as floats. */
export interface VoiceTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** An entry of `spk2info.pt`: `embedding` [1, 192] for an SFT voice, the front end's prompt tensors for a zero-shot one. */
export type VoiceEntry = Readonly<Record<string, VoiceTensor>>;

/** The tokenizer's files as text. */
export interface TokenizerFiles {
  readonly vocab: string;
  readonly merges: string;
  readonly config: string;
}

export interface Model {
  /** The folder, for messages. */
  readonly name: string;
  readonly config: Config;
  readonly dtype: WeightDtype;
  /** The parts this folder holds. */
  readonly components: readonly Component[];
  /** @throws FileError when the folder lacks the component. */
  tensors(component: Component): WeightSource;
  /** Voice names in the order of the file. */
  readonly voices: readonly string[];
  /** @throws InputError for an unknown name; the message lists the known ones. */
  voice(name: string): Promise<VoiceEntry>;
  tokenizerFiles(): Promise<TokenizerFiles>;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Default: what a model folder holds; "f32" for an official folder. */
  readonly dtype?: WeightDtype;
}
