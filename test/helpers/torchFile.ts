/** Writes `.pt` files as torch.save does: a stored ZIP with data descriptors and padded local headers, and a protocol 2 pickle. */

export interface SavedTensor {
  readonly shape: readonly number[];
  /** Default: contiguous. */
  readonly stride?: readonly number[];
  readonly offset?: number;
  /** The storage; tensors may share one by key. */
  readonly storage: SavedStorage;
}

export interface SavedStorage {
  readonly key: string;
  /** Class in the module `torch`, e.g. "FloatStorage". */
  readonly type: string;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** Opcodes that make one value, a letter each. */
export interface SavedCode {
  readonly code: string;
}

export type Saved =
  | SavedTensor
  | SavedCode
  | number
  | string
  | boolean
  | null
  | readonly Saved[]
  | { readonly [key: string]: Saved };

export function floats(key: string, values: Float32Array): SavedStorage {
  return {
    key,
    type: "FloatStorage",
    count: values.length,
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
}

/** Bytes of a `.pt` file that holds `root`. */
export function torchFile(root: Saved, name = "archive"): Uint8Array {
  const storages = new Map<string, SavedStorage>();
  const pickle = new PickleWriter(storages).finish(root);
  return zipFile([
    [`${name}/data.pkl`, pickle],
    [`${name}/byteorder`, text("little")],
    ...[...storages.values()].map(({ key, bytes }): [string, Uint8Array] => [`${name}/data/${key}`, bytes]),
    [`${name}/version`, text("3\n")],
  ]);
}

function isTensor(value: Saved): value is SavedTensor {
  return typeof value === "object" && value !== null && "storage" in value && "shape" in value;
}

function isCode(value: Saved): value is SavedCode {
  return typeof value === "object" && value !== null && "code" in value && typeof value.code === "string";
}

class PickleWriter {
  private readonly out: number[] = [0x80, 2];

  constructor(private readonly storages: Map<string, SavedStorage>) {}

  finish(root: Saved): Uint8Array {
    this.value(root);
    return Uint8Array.from([...this.out, 0x2e]);
  }

  private value(value: Saved): void {
    if (value === null) this.out.push(0x4e);
    else if (typeof value === "boolean") this.out.push(value ? 0x88 : 0x89);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "string") this.text(value);
    else if (Array.isArray(value)) this.list(value as readonly Saved[]);
    else if (isTensor(value)) this.tensor(value);
    else if (isCode(value)) this.out.push(...Buffer.from(value.code, "latin1"));
    else {
      this.out.push(0x7d, 0x28);
      for (const [key, item] of Object.entries(value)) {
        this.text(key);
        this.value(item as Saved);
      }
      this.out.push(0x75);
    }
  }

  private list(values: readonly Saved[]): void {
    this.out.push(0x5d, 0x28);
    for (const value of values) this.value(value);
    this.out.push(0x65);
  }

  private number(value: number): void {
    if (!Number.isInteger(value) || Math.abs(value) > 2 ** 31 - 1) {
      if (Number.isInteger(value)) this.out.push(0x8a, 8, ...bigBytes(value));
      else this.out.push(0x47, ...new Uint8Array(Float64Array.of(value).buffer).reverse());
    } else this.out.push(0x4a, ...new Uint8Array(Int32Array.of(value).buffer));
  }

  private text(value: string): void {
    const bytes = text(value);
    this.out.push(0x58, ...new Uint8Array(Uint32Array.of(bytes.length).buffer), ...bytes);
  }

  private global(module: string, name: string): void {
    this.out.push(0x63, ...text(`${module}\n${name}\n`));
  }

  private tuple(items: readonly number[]): void {
    this.out.push(0x28);
    for (const item of items) this.number(item);
    this.out.push(0x74);
  }

  private tensor({ shape, stride = contiguous(shape), offset = 0, storage }: SavedTensor): void {
    this.storages.set(storage.key, storage);
    this.global("torch._utils", "_rebuild_tensor_v2");
    this.out.push(0x28, 0x28);
    this.text("storage");
    this.global("torch", storage.type);
    this.text(storage.key);
    this.text("cpu");
    this.number(storage.count);
    this.out.push(0x74, 0x51); // tuple, persistent id
    this.number(offset);
    this.tuple(shape);
    this.tuple(stride);
    this.out.push(0x89);
    this.global("collections", "OrderedDict");
    this.out.push(0x29, 0x52, 0x74, 0x52); // (), call, tuple, call
  }
}

function bigBytes(value: number): Uint8Array {
  return new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
}

function contiguous(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** A ZIP of stored entries whose local headers carry padding but no sizes. */
export function zipFile(entries: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const add = (bytes: Uint8Array) => {
    parts.push(bytes);
    at += bytes.length;
  };
  for (const [name, bytes] of entries) {
    const nameBytes = text(name);
    const offset = at;
    const padding = (64 - ((offset + 30 + nameBytes.length + 4) % 64)) % 64;
    add(
      record([
        [4, 0x04034b50],
        [2, 20],
        [2, 0x0808],
        [2, 0],
        [4, 0],
        [4, 0],
        [4, 0],
        [4, 0],
        [2, nameBytes.length],
        [2, 4 + padding],
      ]),
    );
    add(nameBytes);
    add(
      record([
        [2, 0x4246],
        [2, padding],
      ]),
    );
    add(new Uint8Array(padding).fill(0x5a));
    add(bytes);
    add(
      record([
        [4, 0x08074b50],
        [4, 0],
        [4, bytes.length],
        [4, bytes.length],
      ]),
    );
    directory.push(
      record([
        [4, 0x02014b50],
        [2, 20],
        [2, 20],
        [2, 0x0808],
        [2, 0],
        [4, 0],
        [4, 0],
        [4, bytes.length],
        [4, bytes.length],
        [2, nameBytes.length],
        [2, 0],
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, offset],
      ]),
      nameBytes,
    );
  }
  const start = at;
  for (const part of directory) add(part);
  add(
    record([
      [4, 0x06054b50],
      [2, 0],
      [2, 0],
      [2, entries.length],
      [2, entries.length],
      [4, at - start],
      [4, start],
      [2, 0],
    ]),
  );
  return Buffer.concat(parts);
}

/** Little-endian fields of 2 or 4 bytes. */
function record(fields: readonly (readonly [width: number, value: number])[]): Uint8Array {
  const bytes: number[] = [];
  for (const [width, value] of fields) for (let i = 0; i < width; i++) bytes.push(Math.floor(value / 256 ** i) & 255);
  return Uint8Array.from(bytes);
}
