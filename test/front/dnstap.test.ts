import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import { parseIp } from '../../src/dns/ip.ts';
import { startDnstap } from '../../src/front/dnstap.ts';
import type { ObservedQuery } from '../../src/front/query-log.ts';
import { COUNTER, createCounters } from '../../src/plane/counters.ts';
import { temporaryFolder } from '../support/command.ts';
import { composeQuestion } from '../support/forwarding.ts';
import { freePort } from '../support/free-ports.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const { bytes: QUERY } = composeQuestion('www.example. A');

function observed(more: Partial<ObservedQuery> = {}): ObservedQuery {
  const response = QUERY.slice();
  response[2] |= 0x80;
  const client = parseIp('192.0.2.7')!;
  return { client, port: 5353, overTcp: false, query: QUERY, response, milliseconds: 1.5, from: 'own', ...more };
}

function start(to: string) {
  const counters = createCounters();
  const logged: string[] = [];
  const settings = { to, identity: 'replica-1', version: 'healthdns test' };
  const dnstap = startDnstap(settings, {
    clock: systemClock,
    counters,
    log: (_, message) => void logged.push(message),
  });
  return { dnstap, logged, sent: () => counters[COUNTER.DNSTAP_SENT], dropped: () => counters[COUNTER.DNSTAP_DROPPED] };
}

/** Sends one query after the other until the first has been accepted. */
async function connected({ dnstap, sent }: ReturnType<typeof start>): Promise<void> {
  await until(() => {
    dnstap.send(observed());
    return sent() > 0;
  }, true);
}

for (const transport of ['unix', 'tcp'] as const) {
  test(
    `fstrm_capture and dnstap-ldns read what is sent over a ${transport} socket`,
    requirement('dnstap'),
    async (t) => {
      const folder = await temporaryFolder(t);
      const file = join(folder, 'out.fstrm');
      const port = await freePort();
      const [to, flags] = {
        unix: [join(folder, 'dnstap.sock'), ['-u', join(folder, 'dnstap.sock')]] as const,
        tcp: [`tcp://127.0.0.1:${port}`, ['-a', '127.0.0.1', '-p', String(port)]] as const,
      }[transport];
      const capture = spawn('fstrm_capture', ['-t', 'protobuf:dnstap.Dnstap', ...flags, '-w', file], {
        stdio: 'ignore',
      });
      try {
        const { dnstap, ...counts } = start(to);
        await connected({ dnstap, ...counts });
        dnstap.send(observed({ client: parseIp('2001:db8::7')!, overTcp: true }));
        dnstap.send(observed({ response: new Uint8Array(0) }));
        await dnstap.close();
        assert.ok(counts.sent() >= 3);
      } finally {
        capture.kill('SIGTERM');
        await once(capture, 'exit');
      }
      const { stdout } = await run('dnstap-ldns', ['-y', '-r', file]);
      assert.match(stdout, /type: CLIENT_RESPONSE/);
      assert.match(stdout, /type: CLIENT_QUERY/);
      assert.match(stdout, /identity: "replica-1"/);
      assert.match(stdout, /query_address: "192\.0\.2\.7"\n +query_port: 5353/);
      assert.match(stdout, /socket_family: INET6\n +socket_protocol: TCP\n +query_address: "2001:db8::7"/);
      assert.match(stdout, /www\.example\.\s+IN\s+A/);
    },
  );
}

/** A receiver that speaks only the handshake, and reads only if it is told to. */
async function receiver(accept: (socket: Socket) => void): Promise<{ server: Server; to: string; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    accept(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, sockets, to: `tcp://127.0.0.1:${(server.address() as { port: number }).port}` };
}

/** ACCEPT with the content type. */
const ACCEPT = Buffer.concat([
  Buffer.from([0, 0, 0, 0, 0, 0, 0, 34, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 22]),
  Buffer.from('protobuf:dnstap.Dnstap'),
]);

test('a receiver that never reads costs a bounded buffer; beyond it queries are dropped and counted', async () => {
  const { server, to, sockets } = await receiver((socket) => {
    socket.once('data', () => {
      socket.write(ACCEPT);
      socket.pause();
    });
  });
  const one = start(to);
  await connected(one);
  const before = process.memoryUsage().arrayBuffers;
  const large = observed({ response: new Uint8Array(60_000).fill(1) });
  let sent = 0;
  for (; sent < 5_000 && one.dropped() === 0; sent++) {
    one.dnstap.send(large);
    if (sent % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(one.dropped() > 0, `${sent} queries of 60 kB wait`);
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 << 20);
  await one.dnstap.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

test('a receiver that is not there, goes away or speaks something else is reported once, and queries are dropped', async () => {
  const absent = start('/nonexistent/dnstap.sock');
  await until(() => absent.logged.length, 1);
  absent.dnstap.send(observed());
  assert.match(absent.logged[0], /^dnstap \/nonexistent\/dnstap\.sock: .*ENOENT/);
  assert.equal(absent.dropped(), 1);
  await absent.dnstap.close();

  const { server, to } = await receiver((socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const wrong = start(to);
  await until(() => wrong.logged.length, 1);
  assert.match(wrong.logged[0], /does not speak Frame Streams/);
  await wrong.dnstap.close();
  server.close();
});
