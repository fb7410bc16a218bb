// Message → bytes, with name compression (RFC 1035 section 4.1.4).
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from './limits.ts';
import { type Message, MessageError, type MessageRecord, type Question } from './message.ts';
import { nameEnd, type WireName } from './name.ts';
import { composeOpt } from './opt.ts';
import { isWellFormed } from './rdata/rdata.ts';
import { rdataPieces } from './rdata/wire.ts';

/** A message; what is left out is empty or 0. */
export type MessageParts = Partial<Message>;

interface Writer {
  readonly bytes: Uint8Array;
  at: number;
  /** Suffix (its bytes as Latin-1 text) → offset. Undefined: do not compress. */
  readonly suffixes: Map<string, number> | undefined;
}

/**
 * Message → bytes. Names are compressed where they are equal byte for byte, so that case survives; in rdata only in the
 * types of RFC 1035 (RFC 3597 section 4). Throws MessageError over 65,535 bytes, for a rcode that needs EDNS without it,
 * and for names that are not well formed.
 */
export function composeMessage(parts: MessageParts, options: { readonly compress?: boolean } = {}): Uint8Array {
  const rcode = parts.rcode ?? 0;
  if (rcode > 15 && !parts.edns) throw new MessageError(`rcode ${rcode} needs EDNS`);
  const { questions = [], answers = [], authorities = [] } = parts;
  const additionals = [...(parts.additionals ?? []), ...(parts.edns ? [composeOpt(parts.edns, rcode)] : [])];
  const writer: Writer = {
    bytes: new Uint8Array(upperBound(questions, [...answers, ...authorities, ...additionals])),
    at: 0,
    suffixes: options.compress === false ? undefined : new Map(),
  };
  const word = (parts.flags ?? 0) | ((parts.opcode ?? 0) << 11) | (rcode & 15);
  const counts = [questions, answers, authorities, additionals].map((section) => section.length);
  for (const value of [parts.id ?? 0, word, ...counts]) writeUint16(writer, value);
  for (const question of questions) writeQuestion(writer, question);
  for (const record of [...answers, ...authorities, ...additionals]) writeRecord(writer, record);
  if (writer.at > MAX_MESSAGE_BYTES)
    throw new MessageError(`the message has ${writer.at} bytes, at most ${MAX_MESSAGE_BYTES} fit`);
  return writer.bytes.slice(0, writer.at);
}

/** The size without compression, which never makes a message longer. */
function upperBound(questions: readonly Question[], records: readonly MessageRecord[]): number {
  const questionBytes = questions.reduce((sum, { name }) => sum + name.length + 4, 0);
  return records.reduce((sum, { name, rdata }) => sum + name.length + 10 + rdata.length, HEADER_BYTES + questionBytes);
}

function writeQuestion(writer: Writer, question: Question): void {
  writeName(writer, question.name);
  writeUint16(writer, question.type);
  writeUint16(writer, question.class);
}

function writeRecord(writer: Writer, record: MessageRecord): void {
  writeName(writer, record.name);
  writeUint16(writer, record.type);
  writeUint16(writer, record.class);
  writeUint16(writer, Math.floor(record.ttlSeconds / 0x1_0000));
  writeUint16(writer, record.ttlSeconds & 0xffff);
  const lengthAt = writer.at;
  writer.at += 2;
  // rdata that are no value of their type (a test's broken upstream) are sent as they are.
  const pieces = isWellFormed(record.type, record.rdata)
    ? rdataPieces(record.type, record.rdata)
    : [{ bytes: record.rdata, isName: false }];
  for (const { bytes, isName } of pieces) (isName ? writeName : writeBytes)(writer, bytes);
  const length = writer.at - lengthAt - 2;
  writer.bytes[lengthAt] = length >> 8;
  writer.bytes[lengthAt + 1] = length & 0xff;
}

function writeName(writer: Writer, name: WireName): void {
  checkName(name);
  for (let at = 0; name[at] !== 0; at += 1 + name[at]) {
    const suffix = String.fromCharCode(...name.subarray(at));
    const known = writer.suffixes?.get(suffix);
    if (known !== undefined) {
      writeUint16(writer, 0xc000 | known);
      return;
    }
    // A pointer has 14 bits.
    if (writer.at < 0x4000) writer.suffixes?.set(suffix, writer.at);
    writeBytes(writer, name.subarray(at, at + 1 + name[at]));
  }
  writeBytes(writer, name.subarray(name.length - 1));
}

function checkName(name: WireName): void {
  let end = -1;
  try {
    end = nameEnd(name);
  } catch (error) {
    throw new MessageError(`a name is not well formed: ${(error as Error).message}`);
  }
  if (end !== name.length) throw new MessageError('a name has bytes after the root');
}

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  writer.bytes.set(bytes, writer.at);
  writer.at += bytes.length;
}

function writeUint16(writer: Writer, value: number): void {
  writer.bytes[writer.at++] = value >> 8;
  writer.bytes[writer.at++] = value & 0xff;
}
