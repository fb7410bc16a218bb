// Splits a byte stream into lines of JSON, with a limit on the length of a line.
import { MAX_FRAME_BYTES } from '../protobuf/envelope.ts';

export interface JsonLines {
  push(chunk: Buffer): void;
}

export interface JsonLinesHandler {
  readonly value: (value: unknown) => void;
  /** A line that is too long was skipped. */
  readonly tooLong: (reason: string) => void;
  /** A line is not JSON. */
  readonly broken: (reason: string) => void;
}

const NEWLINE = 0x0a;

export function createJsonLines(handler: JsonLinesHandler, maxLineBytes = MAX_FRAME_BYTES): JsonLines {
  let parts: Buffer[] = [];
  let bytes = 0;
  let tooLong = false;

  function add(part: Buffer): void {
    bytes += part.length;
    if (bytes > maxLineBytes) {
      tooLong = true;
      parts = [];
    }
    if (!tooLong && part.length > 0) parts.push(part);
  }

  function finishLine(): void {
    if (tooLong) handler.tooLong(`a line of ${bytes} bytes, at most ${maxLineBytes} are read`);
    else if (bytes > 0) parse(parts.length === 1 ? parts[0] : Buffer.concat(parts, bytes));
    parts = [];
    bytes = 0;
    tooLong = false;
  }

  function parse(line: Buffer): void {
    let value: unknown;
    try {
      value = JSON.parse(line.toString('utf8'));
    } catch (error) {
      handler.broken(`a line that is not JSON: ${(error as Error).message}`);
      return;
    }
    handler.value(value);
  }

  return {
    push(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        add(chunk.subarray(start, end));
        finishLine();
        start = end + 1;
      }
      add(chunk.subarray(start));
    },
  };
}
