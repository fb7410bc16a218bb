// Whole DNS messages as values (RFC 1035 section 4, RFC 6891): replies of upstreams, the query command, tests. The server's
// answers are read and written in place by dns/fast/.
import { HEADER_BYTES, MAX_MESSAGE_BYTES, MAX_QUESTIONS_PER_MESSAGE, MAX_RECORDS_PER_MESSAGE } from '../limits.ts';
import { MessageError, WireReader } from '../reader.ts';
import { FLAG, TYPE } from '../types.ts';
import { type Compression, WireWriter } from '../writer.ts';
import { composeOpt, type Edns, parseOpt } from './opt.ts';
import { type MessageRecord, type Question, readQuestion, readRecord, writeQuestion, writeRecord } from './record.ts';

export interface MessageHeader {
  readonly id: number;
  readonly opcode: number;
  /** All 12 bits: the upper ones come from OPT. */
  readonly rcode: number;
  /** QR, AA, TC, RD, RA, Z, AD and CD as they stand in the header; see FLAG. */
  readonly flags: number;
}

export interface Message extends MessageHeader {
  readonly questions: readonly Question[];
  readonly answers: readonly MessageRecord[];
  readonly authorities: readonly MessageRecord[];
  /** Without OPT, which is `edns`. */
  readonly additionals: readonly MessageRecord[];
  readonly edns?: Edns;
}

/** A message; omitted parts are empty or 0. */
export type MessageParts = Partial<Message>;

const FLAG_BITS = FLAG.QR | FLAG.AA | FLAG.TC | FLAG.RD | FLAG.RA | FLAG.Z | FLAG.AD | FLAG.CD;

/**
 * Bytes → message. Every length, count and pointer is checked, names in rdata are expanded, and nothing shares memory with
 * `bytes`. Throws MessageError and nothing else: cut short, bytes after the last record (unless `trailingBytes`), a second
 * OPT, …
 */
export function parseMessage(bytes: Uint8Array, options: { readonly trailingBytes?: boolean } = {}): Message {
  const { length } = bytes;
  if (length < HEADER_BYTES) throw new MessageError(`a message has at least ${HEADER_BYTES} bytes, got ${length}`);
  if (length > MAX_MESSAGE_BYTES)
    throw new MessageError(`a message has at most ${MAX_MESSAGE_BYTES} bytes, got ${length}`);
  const reader = new WireReader(bytes);
  const id = reader.uint16();
  const word = reader.uint16();
  const questionCount = reader.uint16();
  const answerCount = reader.uint16();
  const authorityCount = reader.uint16();
  const additionalCount = reader.uint16();
  checkCounts(questionCount, answerCount + authorityCount + additionalCount);
  const questions = readAll(reader, questionCount, readQuestion);
  const answers = readAll(reader, answerCount, readRecord);
  const authorities = readAll(reader, authorityCount, readRecord);
  const additionals = readAll(reader, additionalCount, readRecord);
  if (reader.at !== length && !options.trailingBytes)
    throw new MessageError(`${length - reader.at} bytes follow the last record`);
  const opt = onlyOpt(answers, authorities, additionals);
  return {
    id,
    opcode: (word >> 11) & 15,
    rcode: (word & 15) | ((opt?.extendedRcode ?? 0) << 4),
    flags: word & FLAG_BITS,
    questions,
    answers,
    authorities,
    additionals: opt === undefined ? additionals : additionals.filter((record) => !isOpt(record)),
    ...(opt && { edns: opt.edns }),
  };
}

/**
 * Message → bytes. Names are compressed where they are equal byte for byte, so that case survives; in rdata only in the
 * types of RFC 1035 (RFC 3597 section 4). Throws MessageError over 65,535 bytes, for a rcode that needs EDNS without it,
 * and for malformed names.
 */
export function composeMessage(parts: MessageParts, options: { readonly compress?: boolean } = {}): Uint8Array {
  const bytes = compose(parts, options.compress === false ? 'none' : 'exact');
  if (bytes.length > MAX_MESSAGE_BYTES)
    throw new MessageError(`the message has ${bytes.length} bytes, at most ${MAX_MESSAGE_BYTES} fit`);
  return bytes;
}

/** The same; undefined if it is longer than `maxBytes`. */
export function composeIfFits(parts: MessageParts, maxBytes: number): Uint8Array | undefined {
  const bytes = compose(parts, 'exact');
  return bytes.length <= Math.min(maxBytes, MAX_MESSAGE_BYTES) ? bytes : undefined;
}

/** The same; with TC and without records if it is longer than `maxBytes`. */
export function composeTruncating(parts: MessageParts, maxBytes = MAX_MESSAGE_BYTES): Uint8Array {
  const cut = { flags: (parts.flags ?? 0) | FLAG.TC, answers: [], authorities: [], additionals: [] };
  return composeIfFits(parts, maxBytes) ?? compose({ ...parts, ...cut }, 'exact');
}

function compose(parts: MessageParts, compression: Compression): Uint8Array {
  const rcode = parts.rcode ?? 0;
  if (rcode > 15 && !parts.edns) throw new MessageError(`rcode ${rcode} needs EDNS`);
  const { questions = [], answers = [], authorities = [] } = parts;
  const additionals = [...(parts.additionals ?? []), ...(parts.edns ? [composeOpt(parts.edns, rcode)] : [])];
  const records = [...answers, ...authorities, ...additionals];
  const writer = new WireWriter(new Uint8Array(uncompressedBytes(questions, records)), compression);
  const word = (parts.flags ?? 0) | ((parts.opcode ?? 0) << 11) | (rcode & 15);
  const counts = [questions, answers, authorities, additionals].map((section) => section.length);
  for (const value of [parts.id ?? 0, word, ...counts]) writer.uint16(value);
  for (const question of questions) writeQuestion(writer, question);
  for (const record of records) writeRecord(writer, record);
  return writer.bytes.slice(0, writer.at);
}

export function hasFlag(message: MessageHeader, flag: number): boolean {
  return (message.flags & flag) !== 0;
}

/** Counts that exceed the message size are rejected before anything is allocated for them. */
function checkCounts(questions: number, total: number): void {
  if (questions > MAX_QUESTIONS_PER_MESSAGE)
    throw new MessageError(`${questions} questions, at most ${MAX_QUESTIONS_PER_MESSAGE} are read`);
  if (total > MAX_RECORDS_PER_MESSAGE)
    throw new MessageError(`${total} records, at most ${MAX_RECORDS_PER_MESSAGE} are read`);
}

/** RFC 6891 section 6.1.1: at most one OPT, in the additional section, at the root. */
function onlyOpt(
  answers: readonly MessageRecord[],
  authorities: readonly MessageRecord[],
  additionals: readonly MessageRecord[],
): ReturnType<typeof parseOpt> | undefined {
  if (answers.some(isOpt) || authorities.some(isOpt))
    throw new MessageError('an OPT record outside the additional section');
  const first = additionals.findIndex(isOpt);
  if (first < 0) return undefined;
  if (additionals.findLastIndex(isOpt) !== first) throw new MessageError('more than one OPT record');
  return parseOpt(additionals[first]);
}

const isOpt = ({ type }: MessageRecord): boolean => type === TYPE.OPT;

function readAll<T>(reader: WireReader, count: number, read: (reader: WireReader) => T): T[] {
  const all: T[] = [];
  for (let i = 0; i < count; i++) all.push(read(reader));
  return all;
}

function uncompressedBytes(questions: readonly Question[], records: readonly MessageRecord[]): number {
  const questionBytes = questions.reduce((sum, { name }) => sum + name.length + 4, 0);
  return records.reduce((sum, { name, rdata }) => sum + name.length + 10 + rdata.length, HEADER_BYTES + questionBytes);
}
