/** Names that come out of a file, fit to be put in a message: short, on one line, nothing that a terminal would obey. */
export function printable(text: string): string {
  const short = text.length > 120 ? `${text.slice(0, 120)}...` : text;
  return short.replace(/[\p{C}\p{Z}]/gu, (letter) => (letter === " " ? letter : "?"));
}
