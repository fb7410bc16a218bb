// What upstream servers said of a CNAME's target outside our zones (ExternalName) → records in the reply.
import { writeUint16, writeUint32 } from '../dns/header.ts';
import type { LabelledName } from '../dns/question.ts';
import { CLASS } from '../dns/types.ts';
import type { TargetRecord } from '../forward/forwarder.ts';
import { MAX_POINTER, type Reply } from './reply.ts';

/** Writes the records; those that do not fit are left out with all that follow, and the reply is marked truncated. */
export function writeTarget(reply: Reply, records: readonly TargetRecord[], name: LabelledName, nameAt: number): void {
  const start = { at: reply.at, answers: reply.answers };
  for (const record of records) {
    const known = sameAsName(record.name, name) && nameAt <= MAX_POINTER;
    const size = (known ? 2 : record.name.length) + 10 + record.rdata.length;
    if (reply.at + size > reply.limit) {
      reply.truncated = true;
      if (reply.overTcp) return;
      reply.at = start.at;
      reply.answers = start.answers;
      return;
    }
    const { out } = reply;
    if (known) writeUint16(out, reply.at, 0xc000 | nameAt);
    else out.set(record.name, reply.at);
    const at = reply.at + (known ? 2 : record.name.length);
    writeUint16(out, at, record.type);
    writeUint16(out, at + 2, CLASS.IN);
    writeUint32(out, at + 4, record.ttlSeconds);
    writeUint16(out, at + 8, record.rdata.length);
    out.set(record.rdata, at + 10);
    reply.at += size;
    reply.answers++;
  }
}

function sameAsName(wire: Uint8Array, name: LabelledName): boolean {
  return wire.length === name.length && wire.every((byte, i) => byte === name.bytes[i]);
}
