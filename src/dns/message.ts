// Whole DNS messages as values (RFC 1035 section 4, RFC 6891): for replies of upstreams, the query command and tests. The
// server's answer path does not use this, it works on bytes.
import { type Cursor, MessageError, readBytes, readName, readUint16, readUint32 } from './cursor.ts';
import {
  HEADER_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_QUESTIONS_PER_MESSAGE,
  MAX_RECORDS_PER_MESSAGE,
  MAX_TTL_SECONDS,
} from './limits.ts';
import type { WireName } from './name.ts';
import { type Edns, parseOpt } from './opt.ts';
import { readRdata } from './rdata/wire.ts';
import { FLAG, TYPE } from './types.ts';

export { MessageError } from './cursor.ts';

export interface MessageHeader {
  readonly id: number;
  readonly opcode: number;
  /** All 12 bits: the upper ones come from OPT. */
  readonly rcode: number;
  /** QR, AA, TC, RD, RA, Z, AD and CD as they stand in the header; see FLAG. */
  readonly flags: number;
}

export interface Question {
  /** Case as on the wire. */
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
}

export interface MessageRecord {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  /** Uncompressed, whatever it was on the wire. */
  readonly rdata: Uint8Array;
}

export interface Message extends MessageHeader {
  readonly questions: readonly Question[];
  readonly answers: readonly MessageRecord[];
  readonly authorities: readonly MessageRecord[];
  /** Without OPT, which is `edns`. */
  readonly additionals: readonly MessageRecord[];
  readonly edns?: Edns;
}

const FLAG_BITS = FLAG.QR | FLAG.AA | FLAG.TC | FLAG.RD | FLAG.RA | FLAG.Z | FLAG.AD | FLAG.CD;

/**
 * Bytes → message. Every length, count and pointer is checked; names in rdata are expanded; nothing shares memory with
 * `bytes`. Throws MessageError and nothing else: when it is cut short, has junk after the last record, a second OPT, …
 */
export function parseMessage(bytes: Uint8Array): Message {
  if (bytes.length < HEADER_BYTES)
    throw new MessageError(`a message has at least ${HEADER_BYTES} bytes, got ${bytes.length}`);
  if (bytes.length > MAX_MESSAGE_BYTES)
    throw new MessageError(`a message has at most ${MAX_MESSAGE_BYTES} bytes, got ${bytes.length}`);
  const cursor: Cursor = { bytes, at: 0, end: bytes.length };
  const [id, word, ...counts] = Array.from({ length: 6 }, () => readUint16(cursor));
  checkCounts(counts);
  const questions = Array.from({ length: counts[0] }, () => readQuestion(cursor));
  const answers = Array.from({ length: counts[1] }, () => readRecord(cursor));
  const authorities = Array.from({ length: counts[2] }, () => readRecord(cursor));
  const additionals = Array.from({ length: counts[3] }, () => readRecord(cursor));
  if (cursor.at !== bytes.length) throw new MessageError(`${bytes.length - cursor.at} bytes follow the last record`);
  const opt = onlyOpt(answers, authorities, additionals);
  return {
    id,
    opcode: (word >> 11) & 15,
    rcode: (word & 15) | ((opt?.extendedRcode ?? 0) << 4),
    flags: word & FLAG_BITS,
    questions,
    answers,
    authorities,
    additionals: additionals.filter((record) => record.type !== TYPE.OPT),
    ...(opt && { edns: opt.edns }),
  };
}

export function hasFlag(message: MessageHeader, flag: number): boolean {
  return (message.flags & flag) !== 0;
}

/** Counts that no message of this size can hold are refused before anything is allocated for them. */
function checkCounts([questions, ...records]: readonly number[]): void {
  const total = records.reduce((sum, count) => sum + count, 0);
  if (questions > MAX_QUESTIONS_PER_MESSAGE)
    throw new MessageError(`${questions} questions, at most ${MAX_QUESTIONS_PER_MESSAGE} are read`);
  if (total > MAX_RECORDS_PER_MESSAGE)
    throw new MessageError(`${total} records, at most ${MAX_RECORDS_PER_MESSAGE} are read`);
}

function readQuestion(cursor: Cursor): Question {
  return { name: readName(cursor), type: readUint16(cursor), class: readUint16(cursor) };
}

function readRecord(cursor: Cursor): MessageRecord {
  const name = readName(cursor);
  const type = readUint16(cursor);
  const recordClass = readUint16(cursor);
  const ttl = readUint32(cursor);
  const length = readUint16(cursor);
  if (cursor.at + length > cursor.end) throw new MessageError(`the rdata at ${cursor.at} run past the end`);
  const rdata = type === TYPE.OPT ? readBytes(cursor, length) : readRdata(cursor, type, length);
  // RFC 2181 section 8: a TTL with the top bit is 0. OPT's "TTL" is no time.
  const ttlSeconds = ttl > MAX_TTL_SECONDS && type !== TYPE.OPT ? 0 : ttl;
  return { name, type, class: recordClass, ttlSeconds, rdata };
}

/** RFC 6891 section 6.1.1: at most one OPT, in the additional section, at the root. */
function onlyOpt(...sections: readonly (readonly MessageRecord[])[]): ReturnType<typeof parseOpt> | undefined {
  const [answers, authorities, additionals] = sections.map((records) =>
    records.filter((record) => record.type === TYPE.OPT),
  );
  if (answers.length + authorities.length > 0) throw new MessageError('an OPT record outside the additional section');
  if (additionals.length > 1) throw new MessageError('more than one OPT record');
  return additionals.length === 1 ? parseOpt(additionals[0]) : undefined;
}
