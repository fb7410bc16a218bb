// TCP must not keep UDP waiting: 10,000 connections that say nothing, and clients that never stop asking.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { composeMessage } from '../../src/dns/compose-message.ts';
import { parseMessage } from '../../src/dns/message.ts';
import { parseName } from '../../src/dns/name.ts';
import { freePort, type Serving, serving } from '../support/command.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';
import { askTcp, framed, udpClient } from '../support/transports.ts';
import { until } from '../support/until.ts';

const CROWD = 10_000;
const OPENED_AT_ONCE = 200;
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
  - { name: crowd.test, records: [{ name: www, type: A, value: 192.0.2.1 }] }
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

const query = composeMessage({ id: 1, questions: [{ name: parseName('www.crowd.test.'), type: 1, class: 1 }] });

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
  '10,000 idle TCP connections, one in ten in the middle of a query: UDP and TCP are answered',
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

test('clients that ask over TCP without end: UDP and other TCP clients are answered', options, async () => {
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
