// A response's bytes from its records, composed once when an answer arrives; cache hits copy the bytes.
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from '../../dns/limits.ts';
import { type MessageRecord, writeQuestion, writeRecord } from '../../dns/message/record.ts';
import type { WireName } from '../../dns/name.ts';
import { WireWriter, writeUint16 } from '../../dns/writer.ts';

export interface ComposedResponse {
  /** Header (ID 0), question, answer and authority records (no OPT); then 16 bits for the offset of each TTL. */
  readonly bytes: Uint8Array;
  /** Of the message alone. */
  readonly length: number;
  readonly ttlCount: number;
}

const scratch = new Uint8Array(MAX_MESSAGE_BYTES);

/**
 * `name` is written as the question. Records that do not fit into 64 KiB are left out (a reply that came in one message
 * fits, unless its names were compressed better than ours: then TC is the client's only use of it anyway).
 */
export function composeResponse(
  name: WireName,
  type: number,
  rcode: number,
  flags: number,
  answers: readonly MessageRecord[],
  authority: readonly MessageRecord[],
): ComposedResponse {
  // The letters of the name asked for are those of the client; upstreams may have repeated other spellings of it.
  const writer = new WireWriter(scratch, 'ignoring-case');
  const ttlOffsets: number[] = [];
  scratch.fill(0, 0, HEADER_BYTES);
  writeUint16(scratch, 2, (flags & 0xfff0) | (rcode & 0x0f));
  writeUint16(scratch, 4, 1);
  writer.at = HEADER_BYTES;
  writeQuestion(writer, { name, type, class: 1 });
  const writeAll = (records: readonly MessageRecord[]): number => {
    const before = ttlOffsets.length;
    for (const record of records) {
      if (writer.at + record.name.length + 10 + record.rdata.length > scratch.length) break;
      ttlOffsets.push(writeRecord(writer, record));
    }
    return ttlOffsets.length - before;
  };
  writeUint16(scratch, 6, writeAll(answers));
  writeUint16(scratch, 8, writeAll(authority));
  const length = writer.at;
  const bytes = new Uint8Array(length + 2 * ttlOffsets.length);
  bytes.set(scratch.subarray(0, length));
  for (const [i, offset] of ttlOffsets.entries()) writeUint16(bytes, length + 2 * i, offset);
  return { bytes, length, ttlCount: ttlOffsets.length };
}
