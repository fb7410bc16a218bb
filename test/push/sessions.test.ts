// How many sessions there are, how they end, and who reads too slowly.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { composeKeepalive, composeUnsubscribe } from '../../src/dns/dso/operations.ts';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { OPCODE, RCODE } from '../../src/dns/types.ts';
import { type PushClient, pushClient } from '../support/push-client.ts';
import { type PushServerUnderTest, type PushTransport, startPushServer } from '../support/push-server.ts';
import { requirement } from '../support/requirement.ts';
import { startTestPlane, udpClient } from '../support/transports.ts';
import { until } from '../support/until.ts';

for (const transport of ['plain TCP', 'TLS'] as const) {
  describe(transport, transport === 'TLS' ? requirement('openssl') : {}, () => {
    const open: PushServerUnderTest[] = [];
    after(() => Promise.all(open.map((server) => server.close())));
    const start = async (
      ...changed: Parameters<typeof startPushServer> extends [PushTransport, ...infer Rest] ? Rest : never
    ) => {
      const server = await startPushServer(transport, ...changed);
      open.push(server);
      await server.state('zone x.test.\napi 5 A 10.0.0.1 ; slot=a');
      return server;
    };

    test('sessions beyond the limit of one client, or of all, are turned away', async () => {
      for (const limit of [{ sessionsPerClient: 3 }, { sessions: 3 }]) {
        const server = await start(limit);
        const clients = await Promise.all([1, 2, 3].map(() => server.connect()));
        for (const client of clients) await client.keepalive(15_000, 15_000);
        await assert.rejects(server.connect().then((client) => client.keepalive(15_000, 15_000)));
        assert.ok(server.count('healthdns_push_connections_total', 'turned-away') >= 1);
        clients[0].close();
        await until(() => server.count('healthdns_push_sessions'), 2);
        // The place is free once the connection has ended.
        await until(async () => {
          const next = await server.connect().catch(() => undefined);
          const answered = await next?.keepalive(15_000, 15_000).catch(() => undefined);
          next?.close();
          return answered?.rcode;
        }, RCODE.NOERROR);
        for (const client of clients) client.close();
      }
    });

    test('a session without a subscription ends when it has been inactive for too long, one with a subscription goes on', async () => {
      const server = await start();
      const [idle, busy] = [await server.connect(), await server.connect()];
      await idle.keepalive(0, 15_000);
      await busy.keepalive(0, 15_000);
      await busy.subscribe('api.x.test.', 'A');
      await until(idle.ended, 'reset');
      assert.equal(busy.ended(), undefined);
      assert.equal(server.count('healthdns_push_sessions_ended_total', 'inactive'), 1);
      busy.close();
    });

    test('the limit of all subscriptions is SERVFAIL beyond, until there is room again', async () => {
      const server = await start({ subscriptions: 3 });
      const [client, other] = [await server.connect(), await server.connect()];
      const [first] = [await client.subscribe('a.x.test.', 'A'), await client.subscribe('b.x.test.', 'A')];
      await other.subscribe('a.x.test.', 'A');
      await assert.rejects(other.subscribe('b.x.test.', 'A'), /RCODE 2/);
      await assert.rejects(client.subscribe('c.x.test.', 'A'), /RCODE 2/);
      assert.equal(server.count('healthdns_push_subscriptions'), 3);
      assert.equal(server.count('healthdns_push_subscriptions_refused_total'), 2);
      client.send(composeUnsubscribe(first.id));
      await client.subscribe('c.x.test.', 'A');
      await assert.rejects(other.subscribe('b.x.test.', 'A'), /RCODE 2/);
      client.close();
      await until(() => server.count('healthdns_push_subscriptions'), 1);
      assert.equal((await other.subscribe('b.x.test.', 'A')).rcode(), 0);
      other.close();
    });

    test('subscriptions end with their session', async () => {
      const server = await start();
      const [client, other] = [await server.connect(), await server.connect()];
      await client.subscribe('api.x.test.', 'A');
      const held = await other.subscribe('api.x.test.', 'A');
      assert.equal(server.count('healthdns_push_subscriptions'), 2);
      client.close();
      await until(() => server.count('healthdns_push_subscriptions'), 1);
      await server.state('down a');
      await until(held.records, []);
      other.close();
      await until(() => server.count('healthdns_push_subscribed_rrsets'), 0);
    });

    test('a server that stops asks each client to leave, with a delay of its own', async () => {
      const server = await startPushServer(transport);
      await server.state('zone x.test.');
      const clients = await Promise.all(Array.from({ length: 20 }, () => server.connect()));
      for (const client of clients) await client.keepalive(15_000, 15_000);
      const leave = async (client: PushClient) => {
        await until(() => client.retryDelay() !== undefined, true);
        client.close();
      };
      await Promise.all([server.close(), ...clients.map(leave)]);
      const delays = clients.map((client) => client.retryDelay()!);
      assert.ok(new Set(delays).size > 5, `${delays}`);
      assert.ok(delays.every((delay) => delay >= 1_000 && delay < 3_000));
    });

    test('a client that does not read skips states, has the last one when it reads, and holds nobody up', async () => {
      const server = await start();
      const lines = Array.from({ length: 400 }, (_, i) => `big 5 TXT "${'x'.repeat(200)}${i}" ; slot=s${i % 2}`);
      await server.state(lines.join('\n'));
      const [slow, quick] = [await server.connect(), await server.connect()];
      const [held, read] = [await slow.subscribe('big.x.test.', 'TXT'), await quick.subscribe('big.x.test.', 'TXT')];
      await until(() => held.records().length, 400);
      await until(() => read.records().length, 400);
      slow.socket.pause();
      // Until the kernel takes no more of it.
      for (let i = 0; server.count('healthdns_push_states_total', 'skipped') === 0; i++) {
        assert.ok(i < 1_000, 'nothing is ever skipped');
        await server.state(i % 2 === 0 ? 'down s0' : 'up s0');
        await until(() => read.records().length, i % 2 === 0 ? 200 : 400);
      }
      await server.state('up s0 s1');
      await server.state('down s1');
      const isOfS0 = (record: string) => /[02468]"$/.test(record);
      await until(() => [read.records().length, read.records().every(isOfS0)], [200, true]);
      slow.socket.resume();
      await until(() => held.records(), read.records());
      assert.equal(slow.ended(), undefined);
      slow.close();
      quick.close();
    });
  });
}

describe('TLS itself', requirement('openssl'), () => {
  test('a client that does not speak TLS, does not trust the certificate, or offers another protocol has no session', async () => {
    const server = await startPushServer('TLS');
    try {
      const plain = connect(server.port, '127.0.0.1');
      plain.on('error', () => {});
      plain.write(composeKeepalive(1, false, { inactivityMs: 0, keepaliveMs: 10_000 }));
      await once(plain, 'close');
      await assert.rejects(pushClient(server.port, {}), /self-signed/);
      await assert.rejects(pushClient(server.port, { ca: server.certificate, ALPNProtocols: ['h2'] }));
      const dot = connectTls({ host: '127.0.0.1', port: server.port, ca: server.certificate, ALPNProtocols: ['dot'] });
      await once(dot, 'secureConnect');
      assert.equal(dot.alpnProtocol, 'dot');
      dot.destroy();
      await until(() => server.count('healthdns_push_connections_total', 'handshake') >= 2, true);
      await until(() => server.count('healthdns_push_sessions'), 0);
    } finally {
      await server.close();
    }
  });
});

test('opcode 6 is NOTIMP on ordinary addresses, over UDP and TCP', async () => {
  const plane = await startTestPlane({ udp: 'plain' });
  try {
    const [{ address, port }] = await plane.listen();
    const query = composeMessage({ id: 7, opcode: OPCODE.DSO });
    const client = await udpClient(address, port);
    const answer = await client.ask(query);
    client.close();
    assert.equal(parseMessage(answer!).rcode, RCODE.NOTIMP);
    const socket = connect(port, address);
    socket.write(composeKeepalive(7, false, { inactivityMs: 0, keepaliveMs: 10_000 }));
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    const response = parseMessage(chunk.subarray(2));
    assert.deepEqual([response.id, response.opcode, response.rcode], [7, OPCODE.DSO, RCODE.NOTIMP]);
    assert.deepEqual(plane.pushListening(), []);
  } finally {
    await plane.close();
  }
});
