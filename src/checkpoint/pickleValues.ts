/** What a pickle is read into: plain values, and names that a caller gives a meaning. */

export type PickleValue =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | PickleTuple
  | PickleValue[]
  | PickleDict
  | PickleGlobal
  | PickleObject;

export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** dict and OrderedDict; keys in the order they came. */
export class PickleDict {
  readonly entries = new Map<string | number, PickleValue>();
}

/** A name of the caller's list. */
export class PickleGlobal {
  constructor(
    readonly name: string,
    /** What calling it makes; a global without it is only a name. */
    readonly call?: (args: readonly PickleValue[]) => PickleValue,
  ) {}
}

/** Base of what a caller's functions may return. */
export abstract class PickleObject {
  abstract readonly kind: string;
  /** Takes the attributes that the file gives it after making it. */
  build?(state: PickleValue): void;
}

export interface PickleRules {
  /** For messages. */
  readonly label: string;
  /** "module name" → meaning. Anything else is refused. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Meaning of a persistent id. */
  persistent(id: PickleValue): PickleValue;
}
