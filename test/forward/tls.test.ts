// Upstreams over TLS (RFC 7858): the certificate's name is checked, and a connection is used again.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createServer, type Server } from 'node:tls';
import { RCODE } from '../../src/dns/types.ts';
import { forwarder, routeTo } from '../support/forwarding.ts';
import { requirement } from '../support/requirement.ts';

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

/** Answers every question with NOERROR and no records; `names` are what its certificate, which is its own authority, is for. */
async function startTlsUpstream(names: string) {
  const folder = mkdtempSync(join(tmpdir(), 'healthdns-tls-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=${names}`];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', [...request, '-keyout', keyFile, '-out', certFile, ...subject], { stdio: 'ignore' });
  const cert = readFileSync(certFile, 'utf8');
  let connections = 0;
  const server = createServer({ key: readFileSync(keyFile), cert }, (socket) => {
    connections++;
    socket.on('error', () => {});
    socket.on('data', (frame: Buffer) => {
      // Queries of these tests arrive one to a segment.
      const reply = Buffer.from(frame);
      reply[4] |= 0x80;
      socket.write(reply);
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

test('questions go over one connection whose certificate has the name', requirement('openssl'), async () => {
  const server = await startTlsUpstream('DNS:dns.test');
  const { ask } = over(server.port, server.cert, 'dns.test');
  for (const name of ['a.example. A', 'b.example. A', 'c.example. A']) assert.equal((await ask(name)).rcode, 0);
  assert.equal(server.connections(), 1);
});

test('without a name the certificate must be for the address', requirement('openssl'), async () => {
  const byAddress = await startTlsUpstream('IP:127.0.0.1');
  assert.equal((await over(byAddress.port, byAddress.cert, undefined).ask('a.example. A')).rcode, 0);
  const byName = await startTlsUpstream('DNS:dns.test');
  assert.equal((await over(byName.port, byName.cert, undefined).ask('a.example. A')).rcode, RCODE.SERVFAIL);
});

test(
  'another name, and an authority that is not trusted, are SERVFAIL and no answer',
  requirement('openssl'),
  async () => {
    const server = await startTlsUpstream('DNS:dns.test');
    assert.equal((await over(server.port, server.cert, 'other.test').ask('a.example. A')).rcode, RCODE.SERVFAIL);
    assert.equal((await over(server.port, undefined, 'dns.test').ask('a.example. A')).rcode, RCODE.SERVFAIL);
  },
);
