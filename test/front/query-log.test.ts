import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../src/dns/ip.ts';
import { composeMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { createQueryLog, type ObservedQuery } from '../../src/front/query-log.ts';
import type { QueryLogSettings } from '../../src/plane/forward-settings.ts';
import { composeQuestion } from '../support/forwarding.ts';
import { records } from '../support/zone-text.ts';

const ALL: QueryLogSettings = { every: 1, rcodes: [], classes: [], names: [], networks: [], format: undefined };

function observed(question: string, rcode: number, answer = '', client = '10.0.0.7'): ObservedQuery {
  const { bytes: query } = composeQuestion(question);
  const questions = [{ name: parseName(question.split(' ')[0]), type: 1, class: 1 }];
  const response = composeMessage({
    id: 4711,
    flags: 0x8580,
    rcode,
    questions,
    answers: answer ? records(answer) : [],
  });
  const source = parseIp(client)!;
  return { client: source, port: 5353, overTcp: false, query, response, milliseconds: 0.1234, from: 'own' };
}

const WWW = observed('www.example. A', 0, 'www.example. 5 IN A 192.0.2.1');

test('a line has the client, the question, the outcome and where the answer is from', () => {
  assert.deepEqual(createQueryLog(ALL)(WWW), {
    ...{ client: '10.0.0.7', port: 5353, protocol: 'udp', id: 4711, name: 'www.example.', type: 'A', class: 'IN' },
    ...{ rcode: 'NOERROR', flags: 'qr,aa,rd,ra', querySize: WWW.query.length, size: WWW.response.length },
    ...{ durationMs: 0.123, from: 'own' },
  });
});

test('dangerous characters in names are escaped, in fields and in formats', () => {
  const hostile = observed('a\\010b\\027[31m"{rcode}.example. A', 3);
  const line = createQueryLog({ ...ALL, format: '{name} {rcode}' })(hostile);
  assert.equal(line?.name, 'a\\010b\\027[31m\\"{rcode}.example.');
  assert.equal(
    line?.text,
    'a\\010b\\027[31m\\"{rcode}.example. NXDOMAIN',
    'a name that looks like a field is not replaced',
  );
});

test('the formats common and combined are those of CoreDNS', () => {
  const text = (format: string, query = WWW) => createQueryLog({ ...ALL, format })(query)?.text;
  const size = WWW.query.length;
  const common = (client: string) =>
    `${client}:5353 - 4711 "A IN www.example. udp ${size} false 1232" NOERROR qr,aa,rd,ra ${WWW.response.length} 0.000123s`;
  assert.equal(text('{common}'), common('10.0.0.7'));
  assert.equal(text('{combined}'), `${common('10.0.0.7')} "0"`);
  assert.equal(text('{common}', { ...WWW, client: parseIp('2001:db8::1')! }), common('[2001:db8::1]'));
  assert.equal(text('{>ID} {/metadata} {local} {port}', { ...WWW, port: 0 }), '4711 - - -');
});

test('lines are filtered by rcode, class, name, client and sample rate', () => {
  const denied = observed('no.example. A', 3);
  const nodata = observed('www.example. AAAA', 0);
  const failed = observed('x.other. A', 2, '', '192.0.2.1');
  const logged = (settings: Partial<QueryLogSettings>) => {
    const log = createQueryLog({ ...ALL, ...settings });
    return [WWW, denied, nodata, failed].map((one) => (log(one) === undefined ? '-' : 'x')).join('');
  };
  assert.equal(logged({}), 'xxxx');
  assert.equal(logged({ rcodes: [3, 2] }), '-x-x');
  assert.equal(logged({ classes: ['success'] }), 'x---');
  assert.equal(logged({ classes: ['denial'] }), '-xx-');
  assert.equal(logged({ classes: ['error'] }), '---x');
  assert.equal(logged({ names: ['www.example.', 'other.'] }), 'x-xx');
  assert.equal(logged({ networks: ['10.0.0.0/8'] }), 'xxx-');
  assert.equal(logged({ every: 3 }), 'x--x');
  assert.equal(logged({ rcodes: [3], classes: ['success'] }), '----');
});

test('a query that was dropped, or cannot be read, is a line as well', () => {
  const log = createQueryLog({ ...ALL, format: '{common}' });
  const dropped = log({ ...WWW, response: new Uint8Array(0) });
  assert.deepEqual([dropped?.rcode, dropped?.flags, dropped?.size], ['dropped', '', 0]);
  const broken = log({ ...WWW, query: new Uint8Array(3), client: new Uint8Array(0) });
  assert.deepEqual([broken?.name, broken?.type, broken?.client], ['-', '-', '-']);
});
