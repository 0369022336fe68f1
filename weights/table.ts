/**
 * What a component's tensors must be called and how they must be shaped. One table per component, all sizes from `Config`.
 */
import { printable } from "../src/checkpoint/printable.js";
import { FileError } from "../src/errors.js";

/** Name → shape, in the order of the forward pass. */
export type WeightTable = ReadonlyMap<string, readonly number[]>;

/** Entries of a table under construction. */
export type Entries = [name: string, shape: readonly number[]][];

/** Weight [out, ...in] and bias [out] of a linear layer or a convolution. */
export function affine(prefix: string, shape: readonly [number, ...number[]]): Entries {
  return [
    [`${prefix}.weight`, shape],
    [`${prefix}.bias`, [shape[0]]],
  ];
}

/** Gain and bias of a layer norm. */
export function norm(prefix: string, width: number): Entries {
  return affine(prefix, [width]);
}

/** `count` results of `make`, joined. */
export function repeat(count: number, make: (index: number) => Entries): Entries {
  return Array.from({ length: count }, (_, index) => make(index)).flat();
}

/** What the check needs to know of a file. */
export interface NamedShapes {
  names(): readonly string[];
  info(name: string): { readonly shape: readonly number[] };
}

/** At most this many problems are spelled out. */
const SHOWN = 12;

/** All the ways in which the tensors differ from the table, one line each. */
export function problems(table: WeightTable, found: NamedShapes): string[] {
  const out: string[] = [];
  const names = new Set(found.names());
  for (const [name, expected] of table) {
    if (!names.has(name)) {
      out.push(`${name} is missing, expected [${expected.join(", ")}]`);
      continue;
    }
    const { shape } = found.info(name);
    if (shape.length !== expected.length || shape.some((size, axis) => size !== expected[axis])) {
      out.push(`${name} is [${shape.join(", ")}], expected [${expected.join(", ")}]`);
    }
  }
  for (const name of names) if (!table.has(name)) out.push(`${printable(name)} is not a tensor of this component`);
  return out;
}

/** @throws FileError that counts every difference and spells out the first ones. */
export function checkWeights(label: string, table: WeightTable, found: NamedShapes): void {
  const list = problems(table, found);
  if (list.length === 0) return;
  const more = list.length > SHOWN ? [`and ${list.length - SHOWN} more`] : [];
  throw new FileError(
    `${label}: ${list.length} ${list.length === 1 ? "tensor does" : "tensors do"} not fit the configuration: ${[...list.slice(0, SHOWN), ...more].join("; ")}`,
  );
}
