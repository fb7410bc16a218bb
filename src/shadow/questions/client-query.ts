// A query as it stood on the wire → the question to ask again.
import { parseMessage } from '../../dns/message/message.ts';
import { formatName } from '../../dns/name.ts';
import { MessageError } from '../../dns/reader.ts';
import { FLAG, OPCODE, TYPE, typeName } from '../../dns/types.ts';
import type { Question, Way } from '../answers/question.ts';

const REPEATED_FLAGS = FLAG.RD | FLAG.CD | FLAG.AD;

/** The question; or, as a string, why there is none to ask. */
export function readClientQuery(bytes: Uint8Array, transport: Way['transport']): Question | string {
  if (bytes.length > 2 && (bytes[2]! & 0x80) !== 0) return 'response';
  try {
    const { opcode, questions, flags, edns } = parseMessage(bytes, { trailingBytes: true });
    const [question] = questions;
    if (opcode !== OPCODE.QUERY) return 'not a query (NOTIFY, UPDATE, …)';
    if (question === undefined || questions.length > 1) return 'not exactly one question';
    if (question.type === TYPE.AXFR || question.type === TYPE.IXFR) return 'zone transfer';
    return {
      name: formatName(question.name),
      type: typeName(question.type),
      class: question.class,
      way: {
        transport,
        ...(edns && { edns: { udpBytes: edns.udpBytes, dnssecOk: edns.dnssecOk } }),
        flags: flags & REPEATED_FLAGS,
      },
    };
  } catch (error) {
    if (error instanceof MessageError) return 'not a DNS message';
    throw error;
  }
}
