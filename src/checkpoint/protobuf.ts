/**
 * Walks the fields of a protobuf message that lies in a file, without reading what is skipped. The bytes of a field are
 * decoded by protobufjs; this only keeps a window of the file under its reader.
 */
import protobuf from "protobufjs/minimal.js";
import { FileError } from "../errors.js";
import type { RandomAccessFile } from "./source.js";

const WINDOW = 1 << 16;
/** A tag and a varint or fixed64 value: at most 10 bytes each. */
const HEAD = 20;
/** Strings and packed numbers read at once. */
const MAX_VALUE = 1 << 24;
/** campplus.onnx has about 40,000. */
const MAX_FIELDS = 4_000_000;

export interface Field {
  readonly id: number;
  /** 0 varint, 1 fixed64, 2 length-delimited, 5 fixed32 */
  readonly wire: number;
  /** Varint or the raw bits of a fixed32; a fixed64 has none. */
  readonly value: number;
  /** Bytes of a length-delimited field. */
  readonly start: number;
  readonly end: number;
}

/** A file and the piece of it last read, shared by all cursors over it. */
export class Window {
  private bytes: Uint8Array = new Uint8Array(0);
  private seen = 0;
  private offset = 0;

  constructor(readonly file: RandomAccessFile) {}

  /** Counts a field, so that a file of millions of empty ones ends in an error rather than in minutes of work. */
  count(): void {
    if (++this.seen > MAX_FIELDS) throw new FileError(`${this.file.name}: more than ${MAX_FIELDS} protobuf fields`);
  }

  /** At least `length` bytes from `start`, as far as `end` allows. */
  async at(start: number, length: number, end: number): Promise<Uint8Array> {
    const wanted = Math.min(length, end - start);
    if (start < this.offset || start + wanted > this.offset + this.bytes.length) {
      this.bytes = await this.file.read(start, Math.min(WINDOW, this.file.size - start));
      this.offset = start;
    }
    return this.bytes.subarray(start - this.offset, Math.min(this.bytes.length, end - this.offset));
  }
}

/** The fields of the message in bytes `start` .. `end`. @throws FileError when they do not add up. */
export async function* fields(window: Window, start: number, end: number): AsyncGenerator<Field> {
  const damaged = (at: number) =>
    new FileError(`${window.file.name}: broken protobuf at byte ${at}; is the download complete?`);
  for (let at = start; at < end; ) {
    window.count();
    const reader = protobuf.Reader.create(await window.at(at, HEAD, end));
    let field: Field;
    try {
      const tag = reader.uint32();
      const wire = tag & 7;
      const id = tag >>> 3;
      let value = 0;
      let length = 0;
      if (wire === 0) value = Number(reader.int64());
      else if (wire === 1) reader.skip(8);
      else if (wire === 2) length = reader.uint32();
      else if (wire === 5) value = reader.fixed32();
      else throw damaged(at);
      const body = at + reader.pos;
      field = { id, wire, value, start: body, end: body + length };
    } catch {
      throw damaged(at);
    }
    if (field.id === 0 || field.end > end) throw damaged(at);
    at = field.end;
    yield field;
  }
}

/** The bytes of a length-delimited field. */
export async function fieldBytes(window: Window, field: Field): Promise<Uint8Array> {
  const length = field.end - field.start;
  if (field.wire !== 2 || length > MAX_VALUE) {
    throw new FileError(
      `${window.file.name}: field ${field.id} at byte ${field.start} has ${length} bytes, at most ${MAX_VALUE}`,
    );
  }
  if (length > WINDOW) return window.file.read(field.start, length);
  return (await window.at(field.start, length, field.end)).slice();
}

export async function fieldText(window: Window, field: Field): Promise<string> {
  return new TextDecoder().decode(await fieldBytes(window, field));
}

/** A repeated integer field: one value, or a packed run of them. */
export async function fieldInts(window: Window, field: Field): Promise<number[]> {
  if (field.wire === 0) return [field.value];
  const reader = protobuf.Reader.create(await fieldBytes(window, field));
  const values: number[] = [];
  try {
    while (reader.pos < reader.len) values.push(Number(reader.int64()));
  } catch {
    throw new FileError(`${window.file.name}: broken numbers at byte ${field.start}; is the download complete?`);
  }
  return values;
}
