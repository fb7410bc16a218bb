// Expected and actual answers as sorted zone text, so that a failing test shows a readable difference.
import assert from 'node:assert/strict';
import { formatRecord } from '../../src/dns/message/format-message.ts';
import { parseMessage } from '../../src/dns/message/message.ts';
import type { MessageRecord } from '../../src/dns/message/record.ts';
import { parseName } from '../../src/dns/name.ts';
import { composeRdata } from '../../src/dns/rdata/rdata.ts';
import { CLASS, parseType } from '../../src/dns/types.ts';

/** "IN", "CH", … or CLASSn. */
export function parseClass(text: string): number | undefined {
  return CLASS[text as keyof typeof CLASS] ?? (/^CLASS\d+$/.test(text) ? Number(text.slice(5)) : undefined);
}

/** One record from its zone text: `api.production.local. 5 IN A 127.0.0.1`. */
export function record(text: string): MessageRecord {
  const parts = /^(\S+)\s+(\d+)\s+(\S+)\s+(\S+)\s*(.*)$/s.exec(text.trim());
  const type = parts ? parseType(parts[4]) : undefined;
  const recordClass = parts ? parseClass(parts[3]) : undefined;
  if (!parts || type === undefined || recordClass === undefined)
    throw new Error(`not \`name ttl class type rdata\`: ${text}`);
  return {
    name: parseName(parts[1]),
    type,
    class: recordClass,
    ttlSeconds: Number(parts[2]),
    rdata: composeRdata(type, parts[5]),
  };
}

/** Records from zone text, one a line; blank lines and `;` comment lines are left out. */
export function records(text: string): MessageRecord[] {
  return lines(text).map(record);
}

/** Records → their lines, sorted, so that rotation does not matter. */
export function sortedText(section: readonly MessageRecord[]): string {
  return section.map(formatRecord).sort().join('\n');
}

/** Asserts that a section holds exactly the records of the zone text, in any order. */
export function assertRecords(actual: readonly MessageRecord[], expected: string): void {
  assert.equal(sortedText(actual), sortedText(records(expected)));
}

/** Asserts the answer section of a message in wire form. */
export function assertAnswers(response: Uint8Array, expected: string): void {
  assertRecords(parseMessage(response).answers, expected);
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith(';'));
}
