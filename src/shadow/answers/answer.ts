// A reply in a form that can be compared: sections as sorted sets, the case of names and the SOA serial left out.

import { formatFlags, formatRecord } from '../../dns/message/format-message.ts';
import { type Message, parseMessage } from '../../dns/message/message.ts';
import type { MessageRecord } from '../../dns/message/record.ts';
import { formatName, lowerCased } from '../../dns/name.ts';
import { MessageError } from '../../dns/reader.ts';
import { FLAG, rcodeName, TYPE, typeName } from '../../dns/types.ts';

export interface Answer {
  readonly rcode: string;
  /** "qr aa rd" */
  readonly flags: string;
  readonly hasEdns: boolean;
  readonly answers: readonly AnswerRecord[];
  readonly authorities: readonly AnswerRecord[];
  readonly additionals: readonly AnswerRecord[];
  /** Of the whole message. */
  readonly bytes: number;
}

export interface AnswerRecord {
  /** Lower case. */
  readonly name: string;
  readonly type: string;
  readonly ttlSeconds: number;
  /** Presentation form, lower case. */
  readonly rdata: string;
}

const SERIAL_FROM_END = 20;

/**
 * One text for all that is compared: two replies are equal when theirs are. Cheap, for the many that are. undefined: the reply
 * cannot be read.
 */
export function comparable(reply: Buffer, queryEnd: number): string | undefined {
  const message = readMessage(reply);
  if (message === undefined) return undefined;
  const sections = [message.answers, message.authorities, message.additionals].map((records) =>
    records.map(recordKey).sort().join('\n'),
  );
  // The question must come back byte by byte, its case included.
  const question = reply.toString('latin1', 12, queryEnd);
  return [message.rcode, message.flags, message.edns !== undefined, question, ...sections].join('\0');
}

function readMessage(reply: Buffer): Message | undefined {
  try {
    return parseMessage(reply);
  } catch (error) {
    if (error instanceof MessageError) return undefined;
    throw error;
  }
}

export const isTruncatedReply = (reply: Buffer): boolean => (reply.readUInt16BE(2) & FLAG.TC) !== 0;

function recordKey({ name, type, ttlSeconds, rdata }: MessageRecord): string {
  const shown = Buffer.from(rdata);
  if (type === TYPE.SOA) shown.fill(0, shown.length - SERIAL_FROM_END, shown.length - SERIAL_FROM_END + 4);
  return `${Buffer.from(lowerCased(name)).toString('latin1')}\t${type}\t${ttlSeconds}\t${shown.toString('latin1')}`;
}

export function parseAnswer(reply: Buffer): Answer {
  const message = parseMessage(reply);
  return {
    rcode: rcodeName(message.rcode),
    flags: formatFlags(message),
    hasEdns: message.edns !== undefined,
    answers: records(message.answers),
    authorities: records(message.authorities),
    additionals: records(message.additionals),
    bytes: reply.length,
  };
}

function records(section: readonly MessageRecord[]): AnswerRecord[] {
  return section
    .map((record) => {
      const type = typeName(record.type);
      const rdata = formatRecord(record).split(' ').slice(4).join(' ').toLowerCase();
      return {
        name: formatName(lowerCased(record.name)),
        type,
        ttlSeconds: record.ttlSeconds,
        rdata: type === 'SOA' ? rdata.replace(/^(\S+ \S+) \d+/, '$1 SERIAL') : rdata,
      };
    })
    .sort((a, b) => compareText(line(a), line(b)));
}

export const line = ({ name, ttlSeconds, type, rdata }: AnswerRecord): string =>
  `${name} ${ttlSeconds} ${type} ${rdata}`;
const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Equal in all but size. */
export function sameAnswer(one: Answer, other: Answer): boolean {
  return showAnswer(one) === showAnswer(other);
}

export function showAnswer({ rcode, flags, hasEdns, answers, authorities, additionals }: Answer): string {
  const section = (title: string, all: readonly AnswerRecord[]) => all.map((record) => `${title} ${line(record)}`);
  return [
    `${rcode}, flags ${flags}${hasEdns ? ', EDNS' : ''}`,
    ...section('answer', answers),
    ...section('authority', authorities),
    ...section('additional', additionals),
  ].join('\n');
}
