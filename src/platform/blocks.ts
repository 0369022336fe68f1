/**
 * Few requests for many small reads. The tensors of a file lie side by side and are read one by one, and each request waits for the
 * one before; in blocks, a model of hundreds of tensors takes a dozen.
 */

/** Bytes of the first block: what a file's header mostly fits into, so that opening a file does not fetch it. */
export const FIRST_BLOCK = 1 << 18;
/** Bytes of the others; longer reads are asked for as they are. */
const BLOCK = 1 << 22;
/** Blocks of a file that are kept, the last used; a read may begin in one and end in the next. */
const KEPT = 2;

export interface Blocks {
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Drops what is kept. */
  clear(): void;
}

/**
 * @param size of the file, in bytes
 * @param first the first block, where it has already come
 * @param fetchRange asks for exactly these bytes
 */
export function inBlocks(
  size: number,
  first: Uint8Array,
  fetchRange: (offset: number, length: number) => Promise<Uint8Array>,
): Blocks {
  const kept = new Map<number, Promise<Uint8Array>>();
  const block = (start: number): Promise<Uint8Array> => {
    if (start === 0) return Promise.resolve(first);
    const coming = kept.get(start) ?? fetchRange(start, Math.min(BLOCK, size - start));
    // The last used stands last.
    kept.delete(start);
    kept.set(start, coming);
    coming.catch(() => kept.delete(start));
    for (const old of kept.keys()) if (kept.size > KEPT) kept.delete(old);
    return coming;
  };
  return {
    async read(offset, length) {
      if (length >= BLOCK) return fetchRange(offset, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const at = offset + done;
        const start = at < first.length ? 0 : at - ((at - first.length) % BLOCK);
        const part = (await block(start)).subarray(at - start, at - start + length - done);
        bytes.set(part, done);
        done += part.length;
      }
      return bytes;
    },
    clear: () => kept.clear(),
  };
}
