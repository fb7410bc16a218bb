// Forwarding in several threads: what they see is said once.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { RCODE } from '../../src/dns/types.ts';
import { FORWARD_DEFAULTS, ROUTE_DEFAULTS } from '../../src/plane/forward-settings.ts';
import { startDataPlane } from '../../src/plane/threads.ts';
import { composeQuestion, routeTo } from '../support/forwarding.ts';
import { startScriptedUpstream } from '../support/scripted-upstream.ts';
import { testSettings } from '../support/transports.ts';
import { until } from '../support/until.ts';

const linux = { skip: process.platform === 'linux' ? false : 'needs Linux' };

test(
  'an upstream failure seen by two threads and two routes is logged once, a hosts file once',
  linux,
  async (context) => {
    const closed = await startScriptedUpstream();
    await closed.close();
    const hosts = join(await mkdtemp(join(tmpdir(), 'healthdns-')), 'hosts');
    await writeFile(hosts, '10.0.0.1 printer.office\n');
    const probe = { ...ROUTE_DEFAULTS.probe, intervalMs: 3_600_000 };
    const route = (zone: string) => routeTo(zone, [closed.port], { maxFails: 1, probe });
    const forward = {
      ...FORWARD_DEFAULTS,
      loopDetection: false,
      routes: [route('.'), route('corp.test.')],
      hosts: { files: [hosts], entries: [], ttlSeconds: 60, reverse: true },
    };
    const settings = testSettings({ threads: 2, forward });
    const log: string[] = [];
    const plane = await startDataPlane(
      { ...settings, responder: { ...settings.responder, forwarding: true } },
      {
        threadUrl: new URL('../../src/thread/thread.js', import.meta.url),
        clock: systemClock,
        random: Math.random,
        slotCapacity: 1024,
        log: (level, message) => log.push(`${level} ${message}`),
        refill: () => [],
      },
    );
    context.after(() => plane.close());
    const [{ port }] = await plane.listen();
    // Until then, answers are SERVFAIL without an upstream being asked.
    await plane.filesRead;
    const values = (wanted: string) =>
      [...plane.counters()].filter(({ name }) => name === `healthdns_${wanted}`).map(({ value }) => value);
    // Which thread a client comes to is the kernel's choice, by its port.
    for (let i = 0; i < 32; i++) {
      assert.equal(await rcodeOf(port, `n${i}.corp.test. A`), RCODE.SERVFAIL);
      assert.equal(await rcodeOf(port, `n${i}.example. A`), RCODE.SERVFAIL);
    }
    await until(() => values('forward_failed_total'), [64]);
    assert.deepEqual(values('forward_up'), [0]);
    assert.deepEqual(log.map((line) => line.replace(/(is down): .*/, '$1')).sort(), [
      `info ${hosts}: 1 hosts`,
      `warn upstream 127.0.0.1:${closed.port} is down`,
    ]);
  },
);

async function rcodeOf(port: number, question: string): Promise<number> {
  const socket = createSocket('udp4');
  socket.send(composeQuestion(question).bytes, port, '127.0.0.1');
  const [response] = await once(socket, 'message');
  socket.close();
  return response[3] & 0x0f;
}
