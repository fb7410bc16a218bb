// Who gets a session, and what may be subscribed to: certificates of both sides, access lists.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { parseName } from '../../src/dns/name.ts';
import { COUNTER, createCounters } from '../../src/plane/counters.ts';
import type { AclRule } from '../../src/plane/forward-settings.ts';
import type { PushSettings } from '../../src/plane/settings.ts';
import { listenForSessions } from '../../src/push/listen.ts';
import { makeCertificate } from '../support/certificates.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { pushClient } from '../support/push-client.ts';
import { PUSH_LIMITS } from '../support/push-server.ts';
import { requirement } from '../support/requirement.ts';
import { temporary } from '../support/temporary.ts';
import { startTestPlane } from '../support/transports.ts';
import { until } from '../support/until.ts';

const PUSH = { ...PUSH_LIMITS, listen: [{ address: '127.0.0.1', port: 0 }] };
const REREAD_MS = 10_000;
const NAMES = 'IP:127.0.0.1';

async function listen(t: TestContext, tls: NonNullable<PushSettings['tls']>) {
  const clock = fakeClock();
  const counters = createCounters();
  const accepted: Socket[] = [];
  const log: string[] = [];
  const listener = await listenForSessions(
    PUSH.listen[0],
    { ...PUSH, tls },
    {
      ...{ clock, counters, isFull: () => false, log: (level, message) => log.push(`${level}: ${message}`) },
      accept(stream) {
        accepted.push(stream);
        stream.on('error', () => {});
        stream.on('data', (chunk) => stream.write(chunk));
      },
    },
  );
  const open: Socket[] = [];
  t.after(async () => {
    for (const socket of [...open, ...accepted]) socket.destroy();
    await listener.close();
  });
  return {
    ...{ clock, counters, log, accepted },
    /** Rejects where there is no session. */
    async connect(options: ConnectionOptions): Promise<Socket> {
      const socket = connect({ host: '127.0.0.1', port: listener.bound.port, ...options });
      open.push(socket);
      const closed = once(socket, 'close').then(() => Promise.reject(new Error('closed')));
      await Promise.race([once(socket, 'secureConnect'), closed]);
      await Promise.race([echo(socket), closed]);
      closed.catch(() => {});
      return socket;
    },
  };
}

async function echo(socket: Socket): Promise<void> {
  const echoed = once(socket, 'data');
  socket.write('x');
  await echoed;
}

describe('certificates', requirement('openssl'), () => {
  test('a renewed certificate is served to new connections, those that are open go on, and one that cannot be used is not taken', async (t) => {
    const folder = await temporary();
    t.after(() => rmSync(folder, { recursive: true }));
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
    const [old, renewed] = [makeCertificate(NAMES), makeCertificate(NAMES)];
    writeFileSync(files.cert, old.cert);
    writeFileSync(files.key, old.key);
    const { clock, log, connect } = await listen(t, files);
    const first = await connect({ ca: old.cert });
    await clock.advance(REREAD_MS);
    assert.deepEqual(log, []);

    // Half of a renewal: the key does not fit.
    writeFileSync(files.cert, renewed.cert);
    await clock.advance(REREAD_MS);
    assert.match(log.join('\n'), /^warn: DNS Push: certificate cannot be used, the previous one stays: /);
    await connect({ ca: old.cert });

    writeFileSync(files.key, renewed.key);
    await clock.advance(REREAD_MS);
    assert.deepEqual(log.slice(1), [`info: DNS Push: certificate reread: ${files.cert}`]);
    await connect({ ca: renewed.cert });
    await assert.rejects(connect({ ca: old.cert }));
    await echo(first);

    writeFileSync(files.cert, 'nothing');
    await clock.advance(REREAD_MS);
    await connect({ ca: renewed.cert });
  });

  test('with clientCa, a session needs a certificate of that authority', async (t) => {
    const folder = await temporary();
    t.after(() => rmSync(folder, { recursive: true }));
    const [server, client, other] = [
      makeCertificate(NAMES),
      makeCertificate('DNS:client'),
      makeCertificate('DNS:other'),
    ];
    const files = {
      ...{ cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem'), clientCa: join(folder, 'ca.pem') },
    };
    writeFileSync(files.cert, server.cert);
    writeFileSync(files.key, server.key);
    writeFileSync(files.clientCa, client.cert);
    const { counters, accepted, connect } = await listen(t, files);
    await assert.rejects(connect({ ca: server.cert }));
    await assert.rejects(connect({ ca: server.cert, ...other }));
    await until(() => counters[COUNTER.PUSH_TLS_FAILED], 2);
    assert.equal(accepted.length, 0);
    await connect({ ca: server.cert, ...client });
    assert.equal(accepted.length, 1);
  });
});

test('access lists apply to subscriptions: by name, type and client', async (t) => {
  const rule = (changed: Partial<AclRule>): AclRule => ({
    ...{ action: 'block', zones: [], types: [], networks: [] },
    ...changed,
  });
  const acl = [
    rule({ zones: ['secret.x.test.'] }),
    rule({ types: [16], networks: ['127.0.0.0/8'] }),
    rule({ action: 'drop', zones: ['drop.x.test.'] }),
    rule({ action: 'filter', zones: ['filter.x.test.'] }),
    rule({ networks: ['192.0.2.0/24'] }),
  ];
  const plane = await startTestPlane({
    ...{ udp: 'plain', push: { ...PUSH, tls: undefined } },
    front: { acl, rewrites: [], autopath: undefined, dns64: undefined, queryLog: undefined },
  });
  t.after(() => plane.close());
  const zone = { name: parseName('x.test.'), ready: true, stale: false, fallthrough: [] };
  const rrset = { type: 1, ttlSeconds: 5, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' } as const;
  const records = [{ rdata: Uint8Array.of(10, 0, 0, 1), slot: 0, weight: 1 }];
  await plane.apply([
    { kind: 'replace-zone', zone },
    { kind: 'replace-name', records: { name: parseName('api.x.test.'), rrsets: [{ ...rrset, records }] } },
  ]);
  await plane.listen();
  const client = await pushClient(plane.pushListening()[0].port);
  t.after(client.close);
  for (const [name, type] of [
    ['a.secret.x.test.', 'A'],
    ['api.x.test.', 'TXT'],
    ['a.drop.x.test.', 'A'],
    ['a.filter.x.test.', 'A'],
  ])
    await assert.rejects(client.subscribe(name, type), /RCODE 5/, `${name} ${type}`);
  assert.equal((await client.subscribe('api.x.test.', 'A')).rcode(), 0);
});
