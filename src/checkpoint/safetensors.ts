/**
 * safetensors files: 8 bytes of header length, a JSON header, the tensors' bytes. Reading checks the whole header first;
 * writing goes front to back, so a file of any size needs one slice of memory.
 */
import { FileError, InternalError } from "../errors.js";
import { BYTES_OF, type StoredType } from "./dtype.js";
import { readKind, wrongKind } from "./fileKind.js";
import { printable } from "./printable.js";
import type { RandomAccessFile } from "./source.js";
import { elementsOf, fileTensor, type LazyTensor } from "./tensor.js";

/** The format's own limit. */
const MAX_HEADER = 100_000_000;
const MAX_TENSORS = 1_000_000;

export interface SafetensorsFile {
  readonly name: string;
  /** By name, in the order of the header. */
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

interface Span {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

/** @throws FileError when the header is damaged, or the tensors overlap, leave holes or do not end with the file. */
export async function openSafetensors(file: RandomAccessFile): Promise<SafetensorsFile> {
  const { header, start } = await readHeader(file);
  const metadata = new Map<string, string>();
  const tensors = new Map<string, LazyTensor>();
  const spans: Span[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      for (const [key, value] of Object.entries(object(entry, `${file.name}: __metadata__`)))
        metadata.set(key, String(value));
      continue;
    }
    if (tensors.size >= MAX_TENSORS) throw new FileError(`${file.name}: more than ${MAX_TENSORS} tensors`);
    const label = `${file.name}: ${printable(name)}`;
    const { type, shape, begin, end } = tensorEntry(entry, label);
    const bytes = elementsOf(shape, label) * BYTES_OF[type];
    if (end - begin !== bytes) {
      throw new FileError(
        `${label}: [${shape.join(", ")}] of ${type} needs ${bytes} bytes, its offsets span ${end - begin}`,
      );
    }
    tensors.set(name, fileTensor(label, file, { offset: start + begin, shape, type }));
    spans.push({ name, begin, end });
  }
  requireTiling(file, spans, file.size - start);
  return { name: file.name, tensors, metadata };
}

async function readHeader(file: RandomAccessFile) {
  const kind = await readKind(file);
  if (kind && kind.family !== "tensors" && file.size > 8) throw wrongKind(file.name, kind, "a safetensors file");
  if (file.size < 8) throw new FileError(`${file.name}: ${file.size} bytes, too short for a safetensors file`);
  const prefix = await file.read(0, 8);
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > MAX_HEADER || Number(length) > file.size - 8) {
    throw new FileError(
      `${file.name}: claims a header of ${length} bytes, it has ${file.size} in all; not a safetensors file, or cut short`,
    );
  }
  const text = await file.read(8, Number(length));
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch {
    throw new FileError(`${file.name}: its header is not JSON; not a safetensors file, or damaged`);
  }
  return { header: object(header, `${file.name}: header`), start: 8 + Number(length) };
}

function object(value: unknown, label: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FileError(`${label}: not an object`);
  return value as Record<string, unknown>;
}

function tensorEntry(entry: unknown, label: string) {
  const { dtype, shape, data_offsets: offsets } = object(entry, label);
  if (typeof dtype !== "string" || !Object.hasOwn(BYTES_OF, dtype))
    throw new FileError(`${label}: element type ${String(dtype).slice(0, 20)} is not supported`);
  if (!Array.isArray(shape)) throw new FileError(`${label}: it has no shape`);
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  if (
    !Number.isSafeInteger(begin) ||
    !Number.isSafeInteger(end) ||
    (begin as number) < 0 ||
    (end as number) < (begin as number)
  ) {
    throw new FileError(`${label}: its data_offsets are not two rising whole numbers`);
  }
  return { type: dtype as StoredType, shape: shape as number[], begin: begin as number, end: end as number };
}

/** The spans follow each other from 0 to the end of the file: no overlap, no hole, nothing behind. */
function requireTiling(file: RandomAccessFile, spans: Span[], bytes: number): void {
  let at = 0;
  for (const { name, begin, end } of spans.sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at)
      throw new FileError(
        `${file.name}: ${printable(name)} begins at byte ${begin}, the tensor before it ends at ${at}`,
      );
    at = end;
  }
  if (at !== bytes)
    throw new FileError(`${file.name}: its tensors end at byte ${at}, its data at ${bytes}; is the file complete?`);
}

export interface PlannedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: StoredType;
}

/**
 * Header of a file that will hold `tensors` in this order. Wider elements must come first, so that each tensor is aligned.
 */
export function safetensorsHeader(
  tensors: readonly PlannedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  let offset = 0;
  const entries: [string, unknown][] = [["__metadata__", metadata]];
  for (const { name, shape, type } of tensors) {
    if (offset % BYTES_OF[type]) throw new InternalError(`safetensors: ${name} would not be aligned`);
    const end = offset + elementsOf(shape, name) * BYTES_OF[type];
    entries.push([name, { dtype: type, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // A plain object would move names that look like numbers to the front.
  const json = `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`;
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, 8);
  return bytes;
}
