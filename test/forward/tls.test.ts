// Upstreams over TLS (RFC 7858): the certificate's name is checked, and a connection is used again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { RCODE } from '../../src/dns/types.ts';
import { makeCertificate } from '../support/certificates.ts';
import { forwarder, routeTo } from '../support/forwarding.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

interface TlsUpstreamOptions {
  readonly expired?: boolean;
  /** What happens to a connection once it has been answered on. */
  readonly afterReply?: (socket: TLSSocket) => void;
  /** The connections, by when they came, that are closed instead of answered on. */
  readonly closed?: readonly number[];
}

/** Answers every question with NOERROR and no records; `names` are what its certificate is for. */
async function startTlsUpstream(names: string, { expired = false, afterReply, closed = [] }: TlsUpstreamOptions = {}) {
  const { key, cert } = makeCertificate(names, expired);
  let connections = 0;
  const server = createServer({ key, cert }, (socket) => {
    const isClosed = closed.includes(++connections);
    socket.on('error', () => {});
    socket.on('data', (frame: Buffer) => {
      if (isClosed) {
        socket.destroy();
        return;
      }
      // Queries of these tests arrive one to a segment.
      const reply = Buffer.from(frame);
      reply[4] |= 0x80;
      socket.write(reply);
      afterReply?.(socket);
    });
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  return { port: (server.address() as AddressInfo).port, cert, connections: () => connections };
}

function over(port: number, ca: string | undefined, serverName: string | undefined) {
  const tls = { serverName, ca, cert: undefined, key: undefined };
  return forwarder([], { routes: [{ ...routeTo('.', []), upstreams: [{ address: '127.0.0.1', port, tls }] }] });
}

test('queries share one TLS connection whose certificate matches the name', requirement('openssl'), async () => {
  const server = await startTlsUpstream('DNS:dns.test');
  const { ask } = over(server.port, server.cert, 'dns.test');
  for (const name of ['a.example. A', 'b.example. A', 'c.example. A']) assert.equal((await ask(name)).rcode, 0);
  assert.equal(server.connections(), 1);
});

test('without a server name the certificate must match the address', requirement('openssl'), async () => {
  const byAddress = await startTlsUpstream('IP:127.0.0.1');
  assert.equal((await over(byAddress.port, byAddress.cert, undefined).ask('a.example. A')).rcode, 0);
  const byName = await startTlsUpstream('DNS:dns.test');
  assert.equal((await over(byName.port, byName.cert, undefined).ask('a.example. A')).rcode, RCODE.SERVFAIL);
});

test('a certificate with another name or an untrusted authority is SERVFAIL', requirement('openssl'), async () => {
  const server = await startTlsUpstream('DNS:dns.test');
  assert.equal((await over(server.port, server.cert, 'other.test').ask('a.example. A')).rcode, RCODE.SERVFAIL);
  assert.equal((await over(server.port, undefined, 'dns.test').ask('a.example. A')).rcode, RCODE.SERVFAIL);
});

test('an expired certificate is SERVFAIL', requirement('openssl'), async () => {
  const server = await startTlsUpstream('DNS:dns.test', { expired: true });
  assert.equal((await over(server.port, server.cert, 'dns.test').ask('a.example. A')).rcode, RCODE.SERVFAIL);
  assert.equal(server.connections(), 0, 'no question was sent');
});

test('a server that closes the connection after each answer is reconnected', requirement('openssl'), async () => {
  const server = await startTlsUpstream('DNS:dns.test', { afterReply: (socket) => socket.end() });
  const { ask, forwarder: made } = over(server.port, server.cert, 'dns.test');
  for (const name of ['a.example. A', 'b.example. A', 'c.example. A']) {
    assert.equal((await ask(name)).rcode, 0);
    await until(() => made.gauges().sockets, 0);
  }
  assert.equal(server.connections(), 3);
});

test(
  'a query that meets the close of an idle connection is retried on another one',
  requirement('openssl'),
  async () => {
    const server = await startTlsUpstream('DNS:dns.test', { closed: [1] });
    const { ask } = over(server.port, server.cert, 'dns.test');
    assert.equal((await ask('a.example. A')).rcode, 0);
    assert.equal(server.connections(), 2);
  },
);
