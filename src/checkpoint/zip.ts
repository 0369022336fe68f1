/**
 * The directory of a ZIP archive whose entries are stored, not compressed, and where each entry's bytes lie: what
 * `torch.save` writes. The library reads the central directory (zip64 included); the data offset needs the local header,
 * whose extra field holds padding that the central one lacks.
 */
import { Reader, ZipReader } from "@zip.js/zip.js";
import { CosyVoiceError, FileError } from "../errors.js";
import { printable } from "./printable.js";
import type { RandomAccessFile } from "./source.js";

/** Largest piece the directory may need: 64 MiB is more than 500,000 entries. */
const MAX_DIRECTORY = 1 << 26;
const MAX_ENTRIES = 100_000;
const LOCAL_HEADER = 30;

export interface ZipEntry {
  readonly size: number;
  /** First byte of the entry's data. Reads the local header. @throws FileError for an entry that is compressed or encrypted */
  dataOffset(): Promise<number>;
}

/** Hands the library pieces of a file, each bounded. */
class FileReader extends Reader<RandomAccessFile> {
  constructor(private readonly file: RandomAccessFile) {
    super(file);
    this.size = file.size;
  }

  override readUint8Array(index: number, length: number): Promise<Uint8Array> {
    const end = Math.min(index + length, this.file.size);
    if (!(index >= 0 && end - index <= MAX_DIRECTORY)) {
      throw new FileError(
        `${this.file.name}: its directory claims ${length} bytes at ${index}; the archive is damaged`,
      );
    }
    return this.file.read(index, Math.max(0, end - index));
  }
}

/**
 * All entries by name.
 * @throws FileError when the file is no such archive, is damaged, or an entry is named twice.
 */
export async function readZip(file: RandomAccessFile): Promise<ReadonlyMap<string, ZipEntry>> {
  const entries = new Map<string, ZipEntry>();
  try {
    const reader = new ZipReader(new FileReader(file), { filenameValidation: "tolerant", useWebWorkers: false });
    for await (const entry of reader.getEntriesGenerator()) {
      if (entries.size >= MAX_ENTRIES) throw new FileError(`${file.name}: more than ${MAX_ENTRIES} entries`);
      if (entries.has(entry.filename))
        throw new FileError(`${file.name}: entry "${printable(entry.filename)}" is there twice`);
      const size = entry.uncompressedSize;
      const stored = !entry.encrypted && entry.compressionMethod === 0 && entry.compressedSize === size;
      const { filename, offset } = entry;
      entries.set(filename, {
        size,
        dataOffset: async () => {
          if (stored) return dataOffset(file, filename, offset, size);
          throw new FileError(
            `${file.name}: entry "${printable(filename)}" is compressed or encrypted; torch.save stores entries as they are`,
          );
        },
      });
    }
  } catch (error) {
    if (error instanceof CosyVoiceError) throw error;
    throw new FileError(
      `${file.name}: not a readable ZIP archive (${printable(String(error))}); is the download complete?`,
    );
  }
  return entries;
}

async function dataOffset(file: RandomAccessFile, name: string, header: number, size: number): Promise<number> {
  const damaged = () =>
    new FileError(`${file.name}: entry "${printable(name)}" lies outside the file; is the download complete?`);
  if (!Number.isSafeInteger(header) || header < 0 || header + LOCAL_HEADER > file.size) throw damaged();
  const bytes = await file.read(header, LOCAL_HEADER);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== 0x04034b50)
    throw new FileError(`${file.name}: entry "${printable(name)}" has no local header; the archive is damaged`);
  const start = header + LOCAL_HEADER + view.getUint16(26, true) + view.getUint16(28, true);
  if (start + size > file.size) throw damaged();
  return start;
}
