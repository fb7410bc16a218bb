// An input in whatever format → the questions in it. Gzipped inputs are unpacked on the way.
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Question } from '../answers/question.ts';
import { type Bytes, CutShort, createBytes } from './bytes.ts';
import { readCapture } from './capture.ts';
import { Damaged, isPcap, isPcapng } from './capture-file.ts';
import { BrokenFrames, isFrameStream, readDnstap } from './dnstap.ts';
import type { Notes } from './notes.ts';
import { readTextLines } from './text-lines.ts';

const GZIP_MAGIC = 0x1f8b;

/**
 * `port`: what the servers in a capture listen on. Input that is damaged or cut ends the questions; `notes.damage` says where.
 * Rejects with an error of the system.
 */
export async function* readQuestions(
  input: AsyncIterable<Buffer>,
  port: number,
  notes: Notes,
): AsyncGenerator<Question> {
  const bytes = createBytes(input);
  const beginning = await bytes.peek(4);
  try {
    if (beginning.length >= 2 && beginning.readUInt16BE(0) === GZIP_MAGIC) {
      try {
        yield* readFormat(createBytes(unpack(bytes)), port, notes);
      } finally {
        notes.format += ', gzip';
      }
    } else yield* readFormat(bytes, port, notes);
  } catch (error) {
    const isDamage = error instanceof Damaged || error instanceof CutShort || error instanceof BrokenFrames;
    if (!isDamage && !isUnpacking(error)) throw error;
    const { message } = error as Error;
    notes.damage = isDamage ? message : `packed bytes that gzip cannot unpack: ${message}`;
  }
}

const isUnpacking = (error: unknown): boolean => String((error as NodeJS.ErrnoException).code).startsWith('Z_');

async function* readFormat(bytes: Bytes, port: number, notes: Notes): AsyncGenerator<Question> {
  const beginning = await bytes.peek(4);
  if (isPcap(beginning) || isPcapng(beginning)) {
    notes.format = isPcap(beginning) ? 'pcap' : 'pcapng';
    yield* readCapture(bytes, isPcap(beginning) ? 'pcap' : 'pcapng', port, notes);
  } else if (isFrameStream(beginning)) {
    notes.format = 'dnstap';
    yield* readDnstap(bytes, notes);
  } else {
    notes.format = 'text';
    yield* readTextLines(bytes, notes);
  }
}

function unpack(bytes: Bytes): AsyncIterable<Buffer> {
  async function* chunks() {
    for (let chunk = await bytes.some(); chunk !== undefined; chunk = await bytes.some()) yield chunk;
  }
  // The error of a damaged file arrives where the unpacked bytes are read.
  return pipeline(Readable.from(chunks()), createGunzip(), () => {});
}
