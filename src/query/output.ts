// The reply for people (as dig), for scripts (`short`: rdata only) and for programs (JSON).
import { formatFlags, formatMessage } from '../dns/message/format-message.ts';
import { hasFlag, type Message } from '../dns/message/message.ts';
import { extendedErrors } from '../dns/message/opt.ts';
import type { MessageRecord } from '../dns/message/record.ts';
import { formatName } from '../dns/name.ts';
import { formatRdata } from '../dns/rdata/rdata.ts';
import { className, edeText, FLAG, RCODE, rcodeName, TYPE, typeName } from '../dns/types.ts';
import type { QueryResult } from './exchange.ts';

export function formatText(result: QueryResult): string {
  const { message, server, transport, bytes, elapsedMs } = result;
  const host = server.family === 6 ? `[${server.address}]` : server.address;
  return [
    formatMessage(message),
    '',
    `;; ${verdict(message)}`,
    `;; ${host}:${server.port} over ${transport.toUpperCase()}, ${elapsedMs.toFixed(1)} ms, ${bytes.length} bytes`,
  ].join('\n');
}

/** The values of the answer section, one per line. */
export function formatShort({ message }: QueryResult): string {
  return message.answers.map((record) => formatRdata(record.type, record.rdata)).join('\n');
}

export function formatJson({ message, server, transport, bytes, elapsedMs }: QueryResult): string {
  const { edns, questions } = message;
  const value = {
    server: { address: server.address, port: server.port },
    transport,
    elapsedMs: Number(elapsedMs.toFixed(3)),
    bytes: bytes.length,
    id: message.id,
    status: rcodeName(message.rcode),
    flags: formatFlags(message).split(' ').filter(Boolean),
    outcome: outcomeOf(message),
    questions: questions.map(({ name, type, class: value }) => ({
      name: formatName(name),
      type: typeName(type),
      class: className(value),
    })),
    answers: message.answers.map(recordJson),
    authorities: message.authorities.map(recordJson),
    additionals: message.additionals.map(recordJson),
    ...(edns && { edns: { version: edns.version, udpBytes: edns.udpBytes, dnssecOk: edns.dnssecOk } }),
    extendedErrors: extendedErrors(edns).map(({ infoCode, text }) => ({ infoCode, purpose: edeText(infoCode), text })),
  };
  return JSON.stringify(value, undefined, 2);
}

function recordJson(record: MessageRecord): object {
  return {
    name: formatName(record.name),
    ttlSeconds: record.ttlSeconds,
    class: className(record.class),
    type: typeName(record.type),
    value: formatRdata(record.type, record.rdata),
  };
}

export type Outcome = 'answer' | 'nodata' | 'nxdomain' | 'truncated' | 'error';

export function outcomeOf(message: Message): Outcome {
  if (message.rcode === RCODE.NXDOMAIN) return 'nxdomain';
  if (message.rcode !== RCODE.NOERROR) return 'error';
  if (hasFlag(message, FLAG.TC)) return 'truncated';
  return isAnswered(message) ? 'answer' : 'nodata';
}

/** Whether there is a record of the requested type: a CNAME that leads to none is not an answer. */
function isAnswered({ questions, answers }: Message): boolean {
  const asked = questions[0]?.type ?? TYPE.ANY;
  return asked === TYPE.ANY ? answers.length > 0 : answers.some(({ type }) => type === asked);
}

/** The reply in one sentence. */
function verdict(message: Message): string {
  const [question] = message.questions;
  const name = question ? formatName(question.name) : 'the name';
  const type = question ? typeName(question.type) : 'such';
  const sentences: Record<Outcome, string> = {
    answer: `${message.answers.length} record${message.answers.length === 1 ? '' : 's'} in the answer`,
    nodata: `NODATA: ${name} has no ${type} record (or none that may be answered now)`,
    nxdomain: `NXDOMAIN: ${name} does not exist`,
    truncated: 'the answer is truncated even over TCP',
    error: `${rcodeName(message.rcode)}: the server did not answer the question`,
  };
  return sentences[outcomeOf(message)];
}
