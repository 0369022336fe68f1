/** Where a command's text comes from: its argument, a file, or stdin, whole or as it comes. */
import type { Readable } from "node:stream";
import type { Command } from "commander";
import { FileError } from "../errors.js";
import { openFile } from "../platform/nodeFiles.js";
import { decodeText, TextStreamDecoder } from "./textDecode.js";

/** Longest text that is read, in bytes; far above what one call of the engine takes. */
const MAX_BYTES = 1 << 24;

/** The text of a command that takes it as an argument, from a file, or from stdin. */
export async function textOf(
  text: string | undefined,
  textFile: string | undefined,
  command: Command,
): Promise<string> {
  const usage = (message: string): never => command.error(`error: ${message}`);
  if (text !== undefined && textFile !== undefined) usage("give the text as an argument or with --text-file, not both");
  if (text !== undefined) return text;
  if (textFile !== undefined) return readTextFile(textFile);
  if (process.stdin.isTTY) usage("there is no text; give it as an argument, with --text-file, or on stdin");
  return readStream(process.stdin);
}

/** Stdin as it comes, for a command that takes no other text then. */
export function incomingText(
  text: string | undefined,
  textFile: string | undefined,
  command: Command,
): AsyncGenerator<string, void> {
  if (text !== undefined || textFile !== undefined) {
    command.error("error: --text-stream reads stdin; give no text and no --text-file");
  }
  if (process.stdin.isTTY) process.stderr.write("write what to say; Ctrl-D on a line of its own ends it\n");
  return readChunks(process.stdin);
}

/** The text of a stream, bit by bit. @throws FileError when it is neither UTF-8 nor UTF-16 */
export async function* readChunks(stream: Readable): AsyncGenerator<string, void> {
  const decoder = new TextStreamDecoder("stdin");
  for await (const chunk of stream as AsyncIterable<Buffer>) yield decoder.decode(chunk);
  yield decoder.end();
}

export async function readTextFile(path: string, maxBytes = MAX_BYTES): Promise<string> {
  const file = await openFile(path);
  try {
    if (file.size > maxBytes) throw new FileError(`${path}: ${file.size} bytes of text, at most ${maxBytes}`);
    return decodeText(await file.read(0, file.size), path);
  } finally {
    await file.close();
  }
}

export async function readStream(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new FileError(`stdin: more than ${MAX_BYTES} bytes of text`);
    chunks.push(chunk);
  }
  return decodeText(Buffer.concat(chunks), "stdin");
}
