// Class CH: what the server says of itself, where it is configured to.

import type { AskedQuestion } from '../../dns/fast/question-reader.ts';
import { writeRecordHead } from '../../dns/fast/response-writer.ts';
import { HEADER_BYTES } from '../../dns/limits.ts';
import { parseName } from '../../dns/name.ts';
import { CLASS, TYPE } from '../../dns/types.ts';
import type { PacketMemory } from '../../native/packet-memory.ts';
import type { ResponderSettings } from '../../plane/settings.ts';
import type { Reply } from './reply.ts';

/** Gives the function that answers TXT of version.bind and id.server; false: not a name we answer. */
export function chaosAnswer(
  settings: ResponderSettings,
  memory: PacketMemory,
): (question: AskedQuestion, reply: Reply) => boolean {
  const known = [
    { name: parseName('version.bind'), text: settings.versionBind },
    { name: parseName('version.server'), text: settings.versionBind },
    { name: parseName('id.server'), text: settings.idServer },
    { name: parseName('hostname.bind'), text: settings.idServer },
  ].flatMap(({ name, text }) => (text === undefined ? [] : [{ name, rdata: characterString(text) }]));

  return (question, reply) => {
    if (question.type !== TYPE.TXT && question.type !== TYPE.ANY) return false;
    for (const { name, rdata } of known) {
      if (name.length !== question.name.length || !name.every((byte, i) => byte === question.name.bytes[i])) continue;
      const { at } = reply;
      writeRecordHead(memory.view, at, HEADER_BYTES, TYPE.TXT, 0, rdata.length);
      memory.view.setUint16(at + 4, CLASS.CH);
      memory.bytes.set(rdata, at + 12);
      reply.at += 12 + rdata.length;
      reply.answers++;
      return true;
    }
    return false;
  };
}

/** RFC 1035 section 3.3: a length byte and at most 255 bytes, here at most 200 so that it fits into every response. */
function characterString(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text).subarray(0, 200);
  return Uint8Array.of(bytes.length, ...bytes);
}
