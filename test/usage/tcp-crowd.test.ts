// TCP must not keep UDP waiting, nor take all memory: 10,000 connections that say nothing, clients that never stop asking, and
// such that never read.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { type Serving, serving } from '../support/command.ts';
import { freePort } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';
import { askTcp, framed, udpClient } from '../support/transports.ts';
import { until } from '../support/until.ts';

const CROWD = 10_000;
const OPENED_AT_ONCE = 200;
const STUCK = 600;
const options = requirement('linux', 'many-descriptors');

let folder: string;
let server: Serving;
let port: number;
let httpPort: number;

before(async () => {
  if (options.skip !== false) return;
  folder = await temporary();
  httpPort = await freePort();
  await writeFile(
    join(folder, 'zones.yaml'),
    `listen: 127.0.0.1:0
http: 127.0.0.1:${httpPort}
server: { udp: batched }
threads: 1
limits: { tcpConnections: ${CROWD + 100}, tcpIdleSeconds: 120 }
zones:
  - name: crowd.test
    records:
      - { name: www, type: A, value: 192.0.2.1 }
${largeRRset()}
`,
  );
  server = serving([join(folder, 'zones.yaml')]);
  const [, listening] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
  port = Number(listening);
});
after(async () => {
  await server?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const question = (name: string) => composeMessage({ id: 1, questions: [{ name: parseName(name), type: 1, class: 1 }] });
const query = question('www.crowd.test.');

/** An answer of 64 KB. */
function largeRRset(): string {
  return Array.from(
    { length: 4000 },
    (_, i) => `      - { name: large, type: A, value: 10.0.${i >> 8}.${i & 255} }`,
  ).join('\n');
}

async function open(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function openConnections(): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  return Number(/^healthdns_tcp_connections (\d+)/m.exec(metrics)?.[1]);
}

async function assertUdpAnswers(count: number): Promise<void> {
  const client = await udpClient('127.0.0.1', port);
  for (let i = 0; i < count; i++) {
    const response = await client.ask(query);
    assert.ok(response, `query ${i} of ${count}`);
    assert.deepEqual(parseMessage(response).answers[0].rdata, Uint8Array.of(192, 0, 2, 1));
  }
  client.close();
}

test(
  'with 10,000 idle TCP connections, a tenth of them within a query, UDP and TCP are answered',
  options,
  async () => {
    const crowd: Socket[] = [];
    while (crowd.length < CROWD) crowd.push(...(await Promise.all(Array.from({ length: OPENED_AT_ONCE }, open))));
    for (let i = 0; i < CROWD; i += 10) crowd[i].write(framed(query).subarray(0, 1 + (i % 20)));
    await until(openConnections, CROWD);
    await assertUdpAnswers(1000);
    assert.ok(await askTcp('127.0.0.1', port, query));
    const [waiting] = crowd;
    waiting.write(framed(query).subarray(1));
    const [response] = (await once(waiting, 'data')) as [Buffer];
    assert.equal(parseMessage(response.subarray(2)).answers.length, 1);
    for (const socket of crowd) socket.destroy();
    await until(openConnections, 0);
  },
);

test('while clients send endless queries over TCP, UDP and other TCP clients are answered', options, async () => {
  const queries = Buffer.concat(Array.from({ length: 500 }, () => framed(query)));
  const clients = await Promise.all(Array.from({ length: 8 }, open));
  let answeredBytes = 0;
  for (const client of clients) {
    const ask = () => {
      while (client.writable && client.write(queries));
    };
    client.on('drain', ask);
    client.on('data', ({ length }) => {
      answeredBytes += length;
    });
    ask();
  }
  await until(() => answeredBytes > 100_000, true);
  await assertUdpAnswers(300);
  for (let i = 0; i < 20; i++) assert.ok(await askTcp('127.0.0.1', port, query));
  for (const client of clients) client.destroy();
  await until(openConnections, 0);
});

test(
  'while clients request long answers without reading, UDP and TCP are answered, and memory stays bounded',
  options,
  async () => {
    const queries = Buffer.concat(Array.from({ length: 200 }, () => framed(question('large.crowd.test.'))));
    const before = residentMebibytes();
    const clients = await Promise.all(Array.from({ length: STUCK }, open));
    for (const client of clients) {
      client.pause();
      client.write(queries);
    }
    await until(async () => (await openConnections()) >= STUCK, true);
    await assertUdpAnswers(1000);
    for (let i = 0; i < 20; i++) assert.ok(await askTcp('127.0.0.1', port, query));
    // 64 MiB are allowed; each client asks for 13 MB.
    const grown = residentMebibytes() - before;
    assert.ok(grown < 200, `${grown} MiB more`);
    for (const client of clients) client.destroy();
    await until(openConnections, 0);
  },
);

function residentMebibytes(): number {
  const status = readFileSync(`/proc/${server.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
