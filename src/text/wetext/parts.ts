/** What to do with a text that the grammars cannot read as a whole, where the original gives up: read what can be read, keep the rest. */

/** What is read of a text, or undefined. */
export type Reader = (text: string) => string | undefined;

/** Words are read together up to about this length. */
const MAX_RUN = 4000;
/** Between pieces of a word. What is left together can be a number with its sign, currency or unit. */
const SEPARATORS = /([^\p{L}\p{M}\p{N}.,:'$£€¥%-]+)/u;

/**
 * The text with every stretch of readable words read as one, of the other words the pieces that can be read, and all else as it
 * stands, blanks included.
 */
export function readInParts(text: string, read: Reader): string {
  const known = new Map<string, string | undefined>();
  const readWord = (word: string) => {
    if (!known.has(word)) known.set(word, read(word));
    return known.get(word);
  };
  let out = "";
  /** Readable words with the blank that follows each. */
  let run: [word: string, blank: string][] = [];
  let length = 0;
  const flush = () => {
    const last = run.at(-1)?.[1] ?? "";
    const whole = run.map((pair) => pair.join("")).join("");
    const together = run.length > 1 ? read(whole.slice(0, whole.length - last.length)) : undefined;
    const apart = () => run.map(([word, blank], i) => (readWord(word) ?? word) + (i < run.length - 1 ? blank : ""));
    out += (together ?? apart().join("")) + last;
    run = [];
    length = 0;
  };
  const parts = text.split(/(\s+)/);
  for (let i = 0; i < parts.length; i += 2) {
    const [word = "", blank = ""] = parts.slice(i, i + 2);
    if (word !== "" && readWord(word) !== undefined) {
      run.push([word, blank]);
      length += word.length + blank.length;
      // The grammars know single blanks only.
      if (blank.length > 1 || length > MAX_RUN) flush();
    } else {
      flush();
      out += readPieces(word, readWord) + blank;
    }
  }
  flush();
  return out;
}

function readPieces(word: string, read: Reader): string {
  const pieces = word.split(SEPARATORS);
  if (pieces.length === 1) return word;
  const spoken = pieces.map((piece, i) => {
    const words = read(piece) ?? piece;
    // A mark that is spoken becomes a word of its own.
    return i % 2 === 1 && words !== piece ? ` ${words} ` : words;
  });
  return spoken.join("").replace(/^ | $/g, "");
}
