// The parts of messages: questions and records (RFC 1035 sections 4.1.2 and 4.1.3).
import { MAX_TTL_SECONDS } from '../limits.ts';
import type { WireName } from '../name.ts';
import { readRdata, writeRdata } from '../rdata/wire.ts';
import { MessageError, type WireReader } from '../reader.ts';
import { TYPE } from '../types.ts';
import { type WireWriter, writeUint16 } from '../writer.ts';

export interface Question {
  /** Case as on the wire. */
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
}

export interface MessageRecord {
  /** Case as on the wire. */
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  readonly ttlSeconds: number;
  /** Uncompressed, whatever it was on the wire. */
  readonly rdata: Uint8Array;
}

export function readQuestion(reader: WireReader): Question {
  return { name: reader.name(), type: reader.uint16(), class: reader.uint16() };
}

export function writeQuestion(writer: WireWriter, question: Question): void {
  writer.name(question.name);
  writer.uint16(question.type);
  writer.uint16(question.class);
}

export function readRecord(reader: WireReader): MessageRecord {
  const name = reader.name();
  const type = reader.uint16();
  const recordClass = reader.uint16();
  const ttl = reader.uint32();
  const length = reader.uint16();
  if (reader.at + length > reader.end) throw new MessageError(`the rdata at ${reader.at} runs past the end`);
  const rdata = readRdata(reader, type, length);
  // RFC 8767 section 4, which changes RFC 2181: a TTL with the top bit set is a long one. The "TTL" of OPT is not a time.
  const ttlSeconds = ttl > MAX_TTL_SECONDS && type !== TYPE.OPT ? MAX_TTL_SECONDS : ttl;
  return { name, type, class: recordClass, ttlSeconds, rdata };
}

/** Returns the offset of the TTL. */
export function writeRecord(writer: WireWriter, record: MessageRecord): number {
  writer.name(record.name);
  writer.uint16(record.type);
  writer.uint16(record.class);
  const ttlAt = writer.at;
  writer.uint32(record.ttlSeconds);
  writer.uint16(0);
  const start = writer.at;
  writeRdata(writer, record.type, record.rdata);
  writeUint16(writer.bytes, start - 2, writer.at - start);
  return ttlAt;
}
