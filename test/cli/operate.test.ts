// status, top, query-log and drain against a running server.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { coloured, table, wantsColour } from '../../src/cli/table.ts';
import { healthdns, type Serving, serving, temporaryFolder } from '../support/command.ts';
import { freePort } from '../support/free-ports.ts';
import { until } from '../support/until.ts';

let server: Serving;
let http: string[];
let dns: string;
const cleanUps: (() => Promise<void>)[] = [];

before(async () => {
  const folder = await temporaryFolder({ after: (cleanUp) => void cleanUps.push(cleanUp) });
  const [dnsPort, httpPort] = [await freePort(), await freePort()];
  const instances = ['api-1', 'api-2'].map((id, i) => ({ id, ipv4: `192.0.2.${i + 1}` }));
  const zones = [{ name: 'prod.local', services: [{ name: 'api', instances }] }];
  const file = join(folder, 'zones.yaml');
  const operatorFile = join(folder, 'operator.json');
  const settings = { listen: `127.0.0.1:${dnsPort}`, http: `127.0.0.1:${httpPort}`, threads: 1, operatorFile, zones };
  await writeFile(file, JSON.stringify(settings));
  server = serving([file]);
  http = ['--http', `http://127.0.0.1:${httpPort}`];
  dns = `@127.0.0.1:${dnsPort}`;
  await server.shows(/api\.prod\.local/);
});
after(async () => {
  await server?.stop();
  for (const cleanUp of cleanUps) await cleanUp();
});

test('healthdns status prints tables of zones and of services in trouble, and exits with 0 while the server is ready', async () => {
  const before = await healthdns('status', ...http);
  assert.equal(before.code, 0);
  assert.match(
    before.stdout,
    /^healthdns \S+ on .*: ready\n\nZONE +STATE +SERVICES .*\nprod\.local\. +ready +1 +2 +2 +0\n$/,
  );
  assert.doesNotMatch(before.stdout, /\u001b/, 'no colours in a pipe');
  assert.equal((await healthdns('drain', 'api.prod.local', 'api-2', '--reason', 'disk', ...http)).code, 0);
  const { code, stdout } = await healthdns('status', '-o', 'wide', ...http);
  assert.equal(code, 0, 'a service in trouble is not a server that is not ready');
  assert.match(
    stdout,
    /SERVICE +ANSWERED +INSTANCE +ADDRESSES +REASON\napi\.prod\.local\. +1 of 2 +api-2 +192\.0\.2\.2 +drained by an operator: disk\n$/,
  );
  const json = JSON.parse((await healthdns('status', '--json', ...http)).stdout);
  assert.deepEqual([json.ready, json.trouble[0].instances[0].id], [true, 'api-2']);
  assert.equal((await healthdns('undrain', 'api.prod.local', 'api-2', ...http)).code, 0);
});

test('healthdns status reports an upstream server that is down and a rejected configuration; explain knows the names of hosts', async (t) => {
  const folder = await temporaryFolder(t);
  const [dnsPort, httpPort, nobody] = [await freePort(), await freePort(), await freePort()];
  const file = join(folder, 'zones.yaml');
  const settings = {
    ...{ listen: `127.0.0.1:${dnsPort}`, http: `127.0.0.1:${httpPort}`, threads: 1 },
    forward: [{ to: `127.0.0.1:${nobody}`, maxFails: 1 }],
    hosts: { entries: [{ address: '192.0.2.9', names: 'nine.example' }] },
    zones: [{ name: 'prod.local' }],
  };
  await writeFile(file, JSON.stringify(settings));
  const own = serving([file]);
  t.after(() => own.stop());
  await own.shows(/rest /);
  const to = ['--http', `http://127.0.0.1:${httpPort}`];
  await healthdns('query', 'other.example', `@127.0.0.1:${dnsPort}`);
  await own.shows(/is down: /);
  const { code, stdout } = await healthdns('status', ...to);
  assert.deepEqual([code, stdout.split('\n')[0].split(': ')[1]], [1, 'ready, but 1 of 1 upstream servers not usable']);
  await writeFile(file, 'zonez: []');
  own.process.kill('SIGHUP');
  await own.shows(/the current configuration stays in effect/);
  assert.match(
    (await healthdns('status', ...to)).stdout,
    /\nconfiguration refused at \S+Z: \S+zones\.yaml:1:1: .*`zonez`/,
  );
  for (const name of ['nine.example', '192.0.2.9']) {
    const explained = await healthdns('explain', name, ...to);
    assert.match(explained.stdout, /Answered from hosts/, name);
    assert.equal(explained.code, 0, name);
  }
});

test('healthdns query-log switches the log on with filters and off again, and healthdns top lists the queried names', async () => {
  const on = await healthdns(
    'query-log',
    'on',
    '--class',
    'denial',
    '--name',
    'prod.local',
    '--format',
    '{name} {rcode} {>rflags}',
    ...http,
  );
  const shown = /^query log: on until \S+Z; name prod\.local\.; class denial; format \{name\} \{rcode\} \{>rflags\}\n$/;
  assert.match(on.stdout, shown);
  assert.match((await healthdns('query-log', ...http)).stdout, shown);
  for (const name of ['no.prod.local', 'api.prod.local', 'a\\027[31m.prod.local']) await healthdns('query', name, dns);
  await server.shows(/"message":"a\\\\027\[31m\.prod\.local\. NXDOMAIN qr,aa,rd"/);
  assert.match(server.stderr(), /"message":"no\.prod\.local\. NXDOMAIN qr,aa,rd"/);
  assert.doesNotMatch(server.stderr(), /"message":"api\.prod\.local\./);
  assert.equal((await healthdns('query-log', 'configured', ...http)).stdout, 'query log: as configured\n');
  const refused = await healthdns('query-log', 'on', '--format', '{nam}', ...http);
  assert.deepEqual([refused.code, /unknown field \{nam\}/.test(refused.stderr)], [2, true]);

  const names = async () =>
    JSON.parse((await healthdns('top', 'nxdomain', '--json', ...http)).stdout)[0]
      .entries.map(({ key }: { key: string }) => key)
      .sort();
  await until(names, ['a\\027[31m.prod.local.', 'no.prod.local.']);
  const { stdout } = await healthdns('top', ...http);
  assert.match(stdout, /CLIENT +POD\n3 .* 100\.0 % +127\.0\.0\.1\n/);
});

test('commands exit with 1 if the server is unreachable, and with 2 or 3 for invalid arguments and unknown instances', async () => {
  assert.equal((await healthdns('status', '--http', 'http://127.0.0.1:1')).code, 1);
  assert.equal((await healthdns('top', 'nothing', ...http)).code, 2);
  assert.equal((await healthdns('top', '-n', '0', ...http)).code, 2);
  assert.equal((await healthdns('query-log', '--name', 'x.test', ...http)).code, 2, 'neither on nor off');
  assert.equal((await healthdns('query-log', 'on', '--every', '0', ...http)).code, 2);
  assert.equal((await healthdns('drain', 'api.prod.local', 'api-1', ...http)).code, 2, 'a reason is missing');
  assert.equal((await healthdns('drain', 'api.prod.local', 'api-9', '--reason', 'x', ...http)).code, 3);
});

test('the columns of a table are as wide as needed, and names in it cannot control the terminal', () => {
  assert.deepEqual(
    table(
      ['A', 'STATE'],
      [
        ['long', ['up', 'good']],
        ['\u001b[2J\n', 'x'],
      ],
      false,
    ),
    ['A       STATE', 'long    up', '?[2J?   x'],
  );
  assert.equal(coloured('up', 'good', true), '\u001b[32mup\u001b[0m');
  assert.deepEqual(
    [
      wantsColour(true, {}),
      wantsColour(false, {}),
      wantsColour(true, { NO_COLOR: '1' }),
      wantsColour(true, { NO_COLOR: '' }),
      wantsColour(true, { TERM: 'dumb' }),
    ],
    [true, false, false, true, false],
  );
});
