// What upstream servers said of a CNAME's target outside our zones (ExternalName) → records in the reply.

import type { LabelledName } from '../../dns/fast/question-reader.ts';
import { CLASS } from '../../dns/types.ts';
import { MAX_POINTER } from '../../dns/writer.ts';
import type { TargetRecord } from '../../forward/resolve/target.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import type { Reply } from './reply.ts';

/** Writes the records; those that do not fit are left out with all that follow, and the reply is marked truncated. */
export function writeTarget(
  memory: PacketMemory,
  reply: Reply,
  records: readonly TargetRecord[],
  name: LabelledName,
  nameAt: number,
): void {
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
    const fixed = reply.at + size - 10 - record.rdata.length;
    if (known) memory.view.setUint16(reply.at, 0xc000 | nameAt);
    else memory.bytes.set(record.name, reply.at);
    memory.view.setUint16(fixed, record.type);
    memory.view.setUint16(fixed + 2, CLASS.IN);
    memory.view.setUint32(fixed + 4, record.ttlSeconds);
    memory.view.setUint16(fixed + 8, record.rdata.length);
    memory.bytes.set(record.rdata, fixed + 10);
    reply.at += size;
    reply.answers++;
  }
}

function sameAsName(wire: Uint8Array, name: LabelledName): boolean {
  return wire.length === name.length && wire.every((byte, i) => byte === name.bytes[i]);
}
