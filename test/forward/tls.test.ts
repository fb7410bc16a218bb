// Upstreams over TLS (RFC 7858): the certificate's name is checked, and a connection is used again.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { RCODE } from '../../src/dns/types.ts';
import { forwarder, routeTo } from '../support/forwarding.ts';
import { requirement } from '../support/requirement.ts';
import { until } from '../support/until.ts';

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** A key and a certificate, which is its own authority, for `names`. */
function makeCertificate(names: string, expired: boolean): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'healthdns-tls-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  const request = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
  const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=${names}`];
  if (!expired) openssl(...request, '-x509', '-days', '2', '-out', 'cert.pem', ...subject);
  else {
    // Only `ca` takes an end in the past in every version.
    writeFileSync(join(folder, 'index'), '');
    writeFileSync(join(folder, 'ca.cnf'), CA);
    openssl(...request, '-out', 'request.pem', ...subject);
    const dates = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'];
    const signed = ['-selfsign', '-keyfile', 'key.pem', '-in', 'request.pem', '-out', 'cert.pem', '-notext'];
    openssl('ca', '-config', 'ca.cnf', '-batch', ...signed, ...dates);
  }
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  const made = { key: read('key.pem'), cert: read('cert.pem') };
  rmSync(folder, { recursive: true });
  return made;
}

const CA = `[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
copy_extensions = copy
[any]
commonName = supplied
`;

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
