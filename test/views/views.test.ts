// Views as clients see them: the server's own command, over UDP and TCP, at several addresses of the loopback.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parseConfig } from '../../src/config/loading/load.ts';
import { serving, temporaryFolder } from '../support/command.ts';
import { freePort } from '../support/free-ports.ts';

const run = promisify(execFile);

/** Three addresses, of which two have a view; and views for a name and for clients. */
const file = (port: number, udp: string) => `
listen: ["127.0.0.1:${port}", "127.0.0.4:${port}"]
http: false
logLevel: warn
server: { udp: ${udp} }
templates: [{ type: TXT, values: ['"file"'] }]
zones:
  - { name: one.test, records: [{ name: www, type: A, value: 192.0.2.1 }] }
  - { name: two.test, records: [{ name: www, type: A, value: 192.0.2.2 }] }
views:
  - { name: second, listen: ["127.0.0.2:${port}"], zones: [one.test], templates: [{ type: TXT, values: ['"second"'] }] }
  - { listen: ["127.0.0.3:${port}"], templates: [] }
  - { listen: ["127.0.0.2:${port}"], names: [corp.test], templates: [{ type: TXT, values: ['"corp at second"'] }] }
  - { names: [corp.test, b.a.test], templates: [{ type: TXT, values: ['"corp"'] }] }
  - { names: [a.test], templates: [{ type: TXT, values: ['"a"'] }] }
  - { clients: [127.0.0.9], templates: [{ type: TXT, values: ['"client"'] }] }
`;

type Expected = readonly [address: string, client: string, question: string, answer: string];

const EXPECTED: readonly Expected[] = [
  ['127.0.0.1', '127.0.0.1', 'x.test. TXT', '"file"'],
  ['127.0.0.4', '127.0.0.1', 'x.test. TXT', '"file"'],
  ['127.0.0.1', '127.0.0.9', 'x.test. TXT', '"client"'],
  ['127.0.0.2', '127.0.0.9', 'x.test. TXT', '"second"'],
  ['127.0.0.1', '127.0.0.1', 'corp.test. TXT', '"corp"'],
  ['127.0.0.1', '127.0.0.1', 'X.CORP.test. TXT', '"corp"'],
  ['127.0.0.1', '127.0.0.1', 'xcorp.test. TXT', '"file"'],
  ['127.0.0.1', '127.0.0.9', 'x.corp.test. TXT', '"corp"'],
  ['127.0.0.1', '127.0.0.1', 'x.a.test. TXT', '"a"'],
  ['127.0.0.1', '127.0.0.1', 'x.b.a.test. TXT', '"corp"'],
  ['127.0.0.2', '127.0.0.1', 'x.corp.test. TXT', '"corp at second"'],
  ['127.0.0.2', '127.0.0.1', 'x.a.test. TXT', '"second"'],
  ['127.0.0.3', '127.0.0.1', 'x.test. TXT', 'REFUSED'],
  ['127.0.0.1', '127.0.0.1', 'www.one.test. A', '192.0.2.1'],
  ['127.0.0.2', '127.0.0.1', 'www.one.test. A', '192.0.2.1'],
  ['127.0.0.1', '127.0.0.1', 'www.two.test. A', '192.0.2.2'],
  ['127.0.0.2', '127.0.0.1', 'www.two.test. A', 'REFUSED'],
  ['127.0.0.3', '127.0.0.1', 'www.two.test. A', '192.0.2.2'],
];

for (const udp of ['batched', 'plain'])
  describe(`views, ${udp} UDP`, () => {
    test('a query is answered by the view of its address, then of its longest name, then of its client', async (context) => {
      const folder = await temporaryFolder(context);
      const port = await freePort();
      await writeFile(join(folder, 'zones.yaml'), file(port, udp));
      const server = serving([join(folder, 'zones.yaml')]);
      context.after(() => server.stop());
      await server.shows(/rest /);
      const asked = EXPECTED.flatMap((one) => ['+notcp', '+tcp'].map((transport) => ({ one, transport })));
      const answers = await Promise.all(asked.map(({ one, transport }) => answerTo(one, port, transport)));
      for (const [i, { one, transport }] of asked.entries())
        assert.equal(answers[i], one[3], `${one[2]} at ${one[0]} from ${one[1]} ${transport}`);
    });
  });

/** Record data, or REFUSED. */
async function answerTo([address, client, question]: Expected, port: number, transport: string): Promise<string> {
  const [name, type] = question.split(' ');
  const asked = [`@${address}`, '-b', client, '-p', `${port}`, name, type, transport, '+norec'];
  const { stdout } = await run('dig', [...asked, '+noall', '+answer', '+comments', '+tries=3', '+timeout=5']);
  const records = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
  const status = /status: (\w+)/.exec(stdout)?.[1] ?? '';
  return status === 'NOERROR' ? records.map((line) => line.split(/\s+/).slice(4).join(' ')).join() : status;
}

test('explain reports the view of a client and a name, and its rules', async (context) => {
  const folder = await temporaryFolder(context);
  const [port, http] = [await freePort(), await freePort()];
  const acl = '[{ action: block, zones: [bad.test] }]';
  const views = [
    '{ name: lan, clients: [192.0.2.0/24], zones: [one.test], acl: [], rewrite: [{ from: x.test, to: y.test }] }',
    '{ names: [corp.test], acl: [{ action: drop }] }',
    `{ name: elsewhere, listen: ["127.0.0.2:${port}"], acl: [] }`,
  ];
  const text = file(port, 'auto').replace(/views:[\s\S]*/, `acl: ${acl}\nviews: [${views.join()}]\n`);
  await writeFile(join(folder, 'zones.yaml'), text.replace('http: false', `http: 127.0.0.1:${http}`));
  const server = serving([join(folder, 'zones.yaml')]);
  context.after(() => server.stop());
  await server.shows(/rest /);
  const rulesOf = async (query: string) => {
    const response = await fetch(`http://127.0.0.1:${http}/explain/${query}`, { headers: { accept: 'text/plain' } });
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith('  rule: '));
    return lines.map((line) => line.slice(8)).filter((rule) => !rule.startsWith('answered from'));
  };
  const others = 'certain clients get the settings of the view "lan"';
  assert.deepEqual(await rulesOf('bad.test'), [others, 'acl rule 1: block']);
  assert.deepEqual(await rulesOf('bad.test?from=192.0.2.1'), ['the settings of the view "lan" apply']);
  assert.deepEqual(await rulesOf('x.test?from=192.0.2.1'), [
    'the settings of the view "lan" apply',
    'rewrite rule 1: asks for y.test. instead',
  ]);
  const corp = ['the settings of the view "view 2" apply', 'acl rule 1: drop'];
  assert.deepEqual(await rulesOf('a.corp.test'), corp);
  assert.deepEqual(await rulesOf('a.corp.test?from=192.0.2.1'), corp);
  assert.deepEqual(await rulesOf('www.two.test?from=192.0.2.1'), [
    'the settings of the view "lan" apply',
    'the view does not serve the zone of this name: the answers below do not apply',
  ]);
  assert.deepEqual(await rulesOf('www.one.test?from=192.0.2.1'), ['the settings of the view "lan" apply']);
});

test('a view without a selector is rejected, and its sections are validated at their location', async () => {
  const text = `zones: [{ name: one.test }]
views:
  - forward: 192.0.2.1
  - names: [a.test]
    zones: [two.test]
  - clients: [10.0.0.0/33]
    forward: [{ zone: a, to: [1.1.1.1] }, { zone: a, to: [1.1.1.1] }]
`;
  const result = await parseConfig(text, 'zones.yaml');
  assert.ok(!result.ok);
  const found = result.problems.map(({ line, message }) => `${line} ${message}`);
  assert.deepEqual(found, [
    '3 a view has `listen`, `clients` or `names`: without them it would answer every query',
    '6 `clients[0]`: expected an address or network such as 10.0.0.0/8, got "10.0.0.0/33"',
    '7 duplicate zone a.: put all its servers in one `to`, or give the entry before it `next` or `except`',
  ]);
  const sound = await parseConfig(
    text.replace(/- clients[\s\S]*/, '').replace('- forward: 192.0.2.1', ''),
    'zones.yaml',
  );
  assert.deepEqual(sound.ok ? [] : sound.problems.map(({ message }) => message), ['"two.test" is not one of `zones`']);
});
