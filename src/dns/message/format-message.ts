// Messages as text: records as they stand in a zone file, the rest as dig writes it.

import { formatName } from '../name.ts';
import { formatRdata } from '../rdata/rdata.ts';
import { escapeBytes } from '../rdata/text.ts';
import { className, edeText, FLAG, OPTION, opcodeName, rcodeName, typeName } from '../types.ts';
import { hasFlag, type Message } from './message.ts';
import { type Edns, extendedErrors } from './opt.ts';
import type { MessageRecord, Question } from './record.ts';

/** Zone text of one record: `api.production.local. 5 IN A 127.0.0.1`. */
export function formatRecord(record: MessageRecord): string {
  const owner = formatName(record.name);
  return `${owner} ${record.ttlSeconds} ${className(record.class)} ${typeName(record.type)} ${formatRdata(record.type, record.rdata)}`;
}

/** `api.production.local. IN A`. */
export function formatQuestion(question: Question): string {
  return `${formatName(question.name)} ${className(question.class)} ${typeName(question.type)}`;
}

/** "qr aa rd". */
export function formatFlags(message: Message): string {
  const names = (['QR', 'AA', 'TC', 'RD', 'RA', 'Z', 'AD', 'CD'] as const).filter((name) =>
    hasFlag(message, FLAG[name]),
  );
  return names.map((name) => name.toLowerCase()).join(' ');
}

/** The whole message in the form of dig, one record a line. No line break at the end. */
export function formatMessage(message: Message): string {
  const { questions, answers, authorities, additionals, edns } = message;
  const counts = `QUERY: ${questions.length}, ANSWER: ${answers.length}, AUTHORITY: ${authorities.length}, ADDITIONAL: ${additionals.length + (edns ? 1 : 0)}`;
  return [
    `;; opcode: ${opcodeName(message.opcode)}, status: ${rcodeName(message.rcode)}, id: ${message.id}`,
    `;; flags: ${formatFlags(message)}; ${counts}`,
    ...(edns ? ['', ';; OPT PSEUDOSECTION:', ...formatEdns(edns)] : []),
    ...section(
      'QUESTION',
      questions.map((question) => `;${formatQuestion(question)}`),
    ),
    ...section('ANSWER', answers.map(formatRecord)),
    ...section('AUTHORITY', authorities.map(formatRecord)),
    ...section('ADDITIONAL', additionals.map(formatRecord)),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `;; ${title} SECTION:`, ...lines];
}

function formatEdns(edns: Edns): string[] {
  const others = edns.options.filter(({ code }) => code !== OPTION.EDE);
  return [
    `; EDNS: version: ${edns.version}, flags:${edns.dnssecOk ? ' do' : ''}; udp: ${edns.udpBytes}`,
    ...extendedErrors(edns).map(
      ({ infoCode, text }) =>
        `; EDE: ${infoCode} (${edeText(infoCode)})${text && `: ${escapeBytes(Buffer.from(text))}`}`,
    ),
    ...others.map(({ code, data }) => `; OPTION ${code}: "${escapeBytes(data)}"`),
  ];
}
