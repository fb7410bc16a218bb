// The limits of each client of the forwarder, through every transport of a running server.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseMessage } from '../../src/dns/message/message.ts';
import { RCODE } from '../../src/dns/types.ts';
import { serving, temporaryFolder } from '../support/command.ts';
import { composeQuestion } from '../support/forwarding.ts';
import { requirement } from '../support/requirement.ts';
import { startScriptedUpstream } from '../support/scripted-upstream.ts';
import { until } from '../support/until.ts';

const options = requirement('linux');
/** Any address of 127.0.0.0/8 can be a client's. */
const GREEDY = '127.9.0.1';
const MODEST = '127.9.0.2';

interface Client {
  readonly rcodes: number[];
  send(query: Uint8Array): void;
  close(): void;
}

async function overUdp(port: number, address: string): Promise<Client> {
  const socket = createSocket('udp4').bind(0, address);
  await once(socket, 'listening');
  const rcodes: number[] = [];
  socket.on('message', (response) => rcodes.push(parseMessage(response).rcode));
  return { rcodes, send: (query) => socket.send(query, port, '127.0.0.1'), close: () => socket.close() };
}

async function overTcp(port: number, address: string): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: address });
  await once(socket, 'connect');
  const rcodes: number[] = [];
  let unread = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    unread = Buffer.concat([unread, chunk]);
    while (unread.length >= 2 && unread.length >= 2 + unread.readUInt16BE(0)) {
      const end = 2 + unread.readUInt16BE(0);
      rcodes.push(parseMessage(unread.subarray(2, end)).rcode);
      unread = unread.subarray(end);
    }
  });
  const send = (query: Uint8Array) => socket.write(Buffer.from([query.length >> 8, query.length & 255, ...query]));
  return { rcodes, send, close: () => socket.destroy() };
}

for (const udp of ['batched', 'plain']) {
  for (const [transport, open] of Object.entries({ UDP: overUdp, TCP: overTcp })) {
    test(`${transport}, ${udp}: one client cannot use up the places of others`, options, async (t) => {
      const folder = await temporaryFolder(t);
      const silent = await startScriptedUpstream();
      const file = join(folder, 'zones.yaml');
      await writeFile(
        file,
        `server: { udp: ${udp} }
threads: 1
forward: "127.0.0.1:${silent.port}"
limits: { forwardedQueriesPerClient: 3 }
loopDetection: false
zones: [{ name: ours.test, services: [{ name: api, instances: [{ id: a, ipv4: 10.0.0.1 }] }] }]
`,
      );
      const server = serving([file, '--listen', '127.0.0.1:0', '--http', '127.0.0.1:0']);
      const [, port] = await server.shows(/DNS {3}127\.0\.0\.1:(\d+)/);
      const [, http] = await server.shows(/HTTP {2}(http:\S+)/);
      // A connection answers one late query at a time.
      const greedy = await Promise.all(Array.from({ length: 8 }, () => open(Number(port), GREEDY)));
      const modest = await open(Number(port), MODEST);
      for (const [i, client] of greedy.entries()) client.send(composeQuestion(`n${i}.example. A`).bytes);
      const refused = () => greedy.flatMap(({ rcodes }) => rcodes);
      await until(() => refused().length, 5);
      assert.deepEqual([...new Set(refused())], [RCODE.SERVFAIL]);
      modest.send(composeQuestion('www.example. A').bytes);
      await until(() => silent.asked.some(({ text }) => text === 'www.example. A'), true);
      assert.deepEqual(modest.rcodes, []);
      const limited = /^healthdns_forward_client_limited_total\{reason="waiting"\} 5$/m;
      await until(async () => limited.test(await (await fetch(`${http}/metrics`)).text()), true);
      for (const client of [...greedy, modest]) client.close();
      await server.stop();
      await silent.close();
    });
  }
}
