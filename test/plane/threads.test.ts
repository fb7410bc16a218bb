import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../src/clock.ts';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { parseName } from '../../src/dns/name.ts';
import type { Change, NameRecords, RRset } from '../../src/plane/records.ts';
import { startDataPlane } from '../../src/plane/threads.ts';
import { askTcp, startTestPlane, testSettings, udpClient } from '../support/transports.ts';
import { until } from '../support/until.ts';

const ZONE = { name: parseName('test.'), ready: true, stale: false, fallthrough: [] };
const linux = { skip: process.platform === 'linux' ? false : 'needs Linux' };

test(
  '1,000 instances change health 100 times under load: no later answer contains an unhealthy address',
  linux,
  async () => {
    const plane = await startTestPlane({ threads: 2 });
    const slots = Array.from({ length: 1000 }, () => plane.slots.allocate());
    const names = Array.from({ length: 100 }, (_, i) => `n${i}.test.`);
    await plane.apply([zone(), ...names.map((name, i) => addresses(name, slots.slice(i * 10, i * 10 + 10), i))]);
    const [{ address, port }] = await plane.listen();
    const clients = await Promise.all([1, 2, 3, 4].map(() => udpClient(address, port)));
    let stop = false;
    const noise = (async () => {
      const client = await udpClient(address, port);
      for (let i = 0; !stop; i++) await client.ask(query(names[i % names.length]));
      client.close();
    })();

    let seed = 1;
    for (let flip = 0; flip < 100; flip++) {
      const healthy = slots.map(() => {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff;
        return seed > 0x3fff_ffff;
      });
      slots.forEach((slot, i) => {
        plane.slots.set(slot, healthy[i]);
      });
      await Promise.all(
        clients.map(async (client, k) => {
          for (let i = k; i < names.length; i += 9) {
            const response = await client.ask(query(names[i]));
            const expected = healthy.slice(i * 10, i * 10 + 10).flatMap((up, e) => (up ? [`10.0.${i}.${e}`] : []));
            assert.deepEqual(addressesIn(response), expected, `flip ${flip}, ${names[i]}`);
          }
        }),
      );
    }
    stop = true;
    await noise;
    for (const client of clients) client.close();
    await plane.close();
  },
);

test('records change under load: after the acknowledgement every thread answers the new ones', linux, async () => {
  const plane = await startTestPlane({ threads: 3 });
  await plane.apply([zone(), addresses('x.test.', [0], 0)]);
  const [{ address, port }] = await plane.listen();
  const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => udpClient(address, port)));
  for (let round = 1; round <= 30; round++) {
    await plane.apply([addresses('x.test.', [0, 0].slice(0, 1 + (round % 2)), round)]);
    for (const client of clients) {
      assert.deepEqual(
        addressesIn(await client.ask(query('x.test.'))),
        [`10.0.${round}.0`, `10.0.${round}.1`].slice(0, 1 + (round % 2)),
      );
    }
  }
  await plane.apply([{ kind: 'remove-name', name: parseName('x.test.') }]);
  for (const client of clients) assert.equal(parseMessage((await client.ask(query('x.test.')))!).rcode, 2);
  for (const client of clients) client.close();
  await plane.close();
});

test('a data thread that dies is replaced, and its table is filled before it answers', linux, async () => {
  const changes: Change[] = [zone(), ...Array.from({ length: 3000 }, (_, i) => addresses(`n${i}.test.`, [0], i % 250))];
  const log: string[] = [];
  const plane = await startDataPlane(testSettings({ threads: 1 }), {
    threadUrl: new URL('./dying-thread.js', import.meta.url),
    clock: systemClock,
    random: Math.random,
    slotCapacity: 1024,
    log: (level, message) => log.push(`${level}: ${message}`),
    refill: () => changes,
  });
  await plane.apply(changes);
  const [{ address, port }] = await plane.listen();
  void plane.flushCache({ kind: 'all' });
  const answersAgain = new Promise<void>((resolve) => {
    const check = () => (log.some((line) => line.includes('answers again')) ? resolve() : setTimeout(check, 10));
    check();
  });
  // What is changed while there is no thread reaches the new one.
  changes.push(addresses('later.test.', [0], 7));
  await plane.apply(changes.slice(-1));
  await answersAgain;
  assert.equal(plane.restarts(), 1);
  assert.match(log[0], /error: data thread 0 died and is replaced in \d+ ms: told to die/);
  const client = await udpClient(address, port);
  assert.deepEqual(addressesIn(await client.ask(query('n2999.test.'))), ['10.0.249.0']);
  assert.deepEqual(addressesIn(await client.ask(query('later.test.'))), ['10.0.7.0']);
  client.close();
  await plane.close();
});

test('a data thread that spins is replaced; if that happens again soon, the plane is stuck', linux, async () => {
  const changes: Change[] = [zone(), addresses('x.test.', [0], 1)];
  const log: string[] = [];
  const plane = await startDataPlane(testSettings({ threads: 1 }), {
    threadUrl: new URL('./spinning-thread.js', import.meta.url),
    clock: systemClock,
    random: Math.random,
    slotCapacity: 1024,
    log: (level, message) => log.push(`${level}: ${message}`),
    refill: () => changes,
  });
  await plane.apply(changes);
  const [{ address, port }] = await plane.listen();
  const answersAgain = () => log.filter((line) => line.includes('answers again')).length;
  for (const time of [1, 2]) {
    void plane.flushCache({ kind: 'all' });
    await until(answersAgain, time, 60_000);
    const client = await udpClient(address, port);
    assert.deepEqual(addressesIn(await client.ask(query('x.test.'))), ['10.0.1.0']);
    client.close();
    assert.equal(plane.isStuck(), time === 2);
  }
  assert.match(log[0], /error: data thread 0 died and is replaced in \d+ ms: it did not respond/);
  const hangs = [...plane.counters()].find(({ name }) => name === 'healthdns_data_thread_hangs_total');
  assert.deepEqual([plane.restarts(), hangs?.value], [2, 2]);
  await plane.close();
});

test(
  'if the only data thread dies in an otherwise idle process, the process survives and answers again',
  linux,
  async () => {
    const script = fileURLToPath(new URL('./dying-alone.js', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script]);
    assert.match(stdout, /^error: data thread 0 died .*\ninfo: data thread 0 answers again\n$/);
  },
);

test('a data thread that dies leaves no TCP connection and no descriptor behind', linux, async () => {
  const log: string[] = [];
  const plane = await startDataPlane(testSettings({ threads: 1 }), {
    threadUrl: new URL('./dying-thread.js', import.meta.url),
    clock: systemClock,
    random: Math.random,
    slotCapacity: 1024,
    log: (level, message) => log.push(`${level}: ${message}`),
    refill: () => [zone(), addresses('x.test.', [0], 1)],
  });
  await plane.apply([zone(), addresses('x.test.', [0], 1)]);
  const [{ address, port }] = await plane.listen();
  assert.ok(await askTcp(address, port, query('x.test.')));
  const before = descriptors();
  const clients = await Promise.all(Array.from({ length: 50 }, () => connected(address, port)));
  await until(() => descriptors() - before, 2 * clients.length);
  const closed = clients.map((client) => once(client.resume(), 'close'));
  void plane.flushCache({ kind: 'all' });
  await Promise.all(closed);
  await until(() => log.some((line) => line.includes('answers again')), true);
  await until(descriptors, before);
  assert.ok(await askTcp(address, port, query('x.test.')));
  await plane.close();
});

test('a port in use rejects with address, transport and cause', async () => {
  const first = await startTestPlane();
  const [{ address, port }] = await first.listen();
  for (const udp of ['batched', 'plain'] as const) {
    const second = await startTestPlane({ udp, listen: [{ address, port }] });
    await assert.rejects(second.listen(), {
      name: 'ListenError',
      code: 'EADDRINUSE',
      message: `127.0.0.1:${port}/udp: already in use`,
    });
    await second.close();
  }
  await first.close();
});

test(
  'with reusePort a second data plane takes over the address, and the first stops without losing a query',
  linux,
  async () => {
    const first = await startTestPlane({ reusePort: true });
    await first.apply([zone(), addresses('x.test.', [0], 1)]);
    const [{ address, port }] = await first.listen();
    const second = await startTestPlane({ reusePort: true, listen: [{ address, port }] });
    await second.apply([zone(), addresses('x.test.', [0], 1)]);
    const clients = await Promise.all(Array.from({ length: 16 }, () => udpClient(address, port)));
    const askAll = () => Promise.all(clients.map((client) => client.ask(query('x.test.'))));
    await second.listen();
    const before = Array.from({ length: 8 }, askAll);
    await first.close();
    const after = await Promise.all([...before, askAll()]);
    assert.ok(after.flat().every((response) => addressesIn(response)?.[0] === '10.0.1.0'));
    assert.ok(await askTcp(address, port, query('x.test.')));
    for (const client of clients) client.close();
    await second.close();
  },
);

test('reusePort requires batched UDP', async () => {
  const plane = await startTestPlane({ udp: 'plain', reusePort: true });
  await assert.rejects(plane.listen(), {
    name: 'ListenError',
    message: 'server.reusePort needs batched UDP: switched off',
  });
  await plane.close();
});

test('an address that the machine does not have rejects', async () => {
  const plane = await startTestPlane({ listen: [{ address: '192.0.2.1', port: 0 }] });
  await assert.rejects(plane.listen(), { name: 'ListenError', code: 'EADDRNOTAVAIL' });
  await plane.close();
});

test('plain sockets cannot be shared, so a single thread answers, and a log line reports it', async () => {
  const plane = await startTestPlane({ udp: 'plain', threads: 2 });
  await plane.apply([zone(), addresses('x.test.', [0], 1)]);
  const [{ address, port, mode }] = await plane.listen();
  assert.equal(mode, 'plain');
  const client = await udpClient(address, port);
  assert.deepEqual(addressesIn(await client.ask(query('x.test.'))), ['10.0.1.0']);
  client.close();
  await plane.close();
});

test('the limit of TCP connections covers all addresses together', linux, async () => {
  const tcp = { connections: 2, idleMs: 10_000, totalMs: 60_000, unreadBytes: 65_536, unreadTotalBytes: 1 << 26 };
  for (const udp of ['batched', 'plain'] as const) {
    const listen = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, port: 0 }));
    const plane = await startTestPlane({ udp, tcp, listen });
    const [one, two] = (await plane.listen()).filter(({ transport }) => transport === 'tcp');
    const sockets = [];
    for (const { address, port } of [one, one, two]) {
      const socket = connect(port, address).on('error', () => {});
      await once(socket, 'connect');
      sockets.push(socket.resume());
    }
    const [first] = sockets;
    if (!first.closed) await once(first, 'close');
    assert.deepEqual(
      sockets.map(({ closed }) => closed),
      [true, false, false],
    );
    for (const socket of sockets) socket.destroy();
    await plane.close();
  }
});

test('if batches are not available, one line gives the reason, and plain sockets answer', async () => {
  const log: string[] = [];
  const plane = await startDataPlane(testSettings({ udp: 'auto', threads: 2 }), {
    threadUrl: new URL('./thread-without-batches.js', import.meta.url),
    clock: systemClock,
    random: Math.random,
    slotCapacity: 1024,
    log: (level, message) => log.push(`${level}: ${message}`),
    refill: () => [],
  });
  await plane.apply([zone(), addresses('x.test.', [0], 1)]);
  const [{ address, port, mode }] = await plane.listen();
  assert.equal(mode, 'plain');
  assert.deepEqual(log, [
    'warn: UDP batches are not available, packets are read one by one: batched UDP requires Linux, this is plan9; ' +
      'plain UDP sockets cannot be shared between threads: one data thread answers',
  ]);
  const client = await udpClient(address, port);
  assert.deepEqual(addressesIn(await client.ask(query('x.test.'))), ['10.0.1.0']);
  client.close();
  await plane.close();
});

test('replies on a wildcard address leave from the address that was queried', linux, async () => {
  for (const [listen, asked] of [
    ['0.0.0.0', '127.0.0.2'],
    ['0.0.0.0', '127.0.0.1'],
    ['::', '::1'],
  ]) {
    const plane = await startTestPlane({ listen: [{ address: listen, port: 0 }] });
    await plane.apply([zone(), addresses('x.test.', [0], 1)]);
    const [{ port }] = await plane.listen();
    // A connected socket hears only the address it is connected to.
    const client = await udpClient(asked, port);
    assert.deepEqual(addressesIn(await client.ask(query('x.test.'))), ['10.0.1.0'], asked);
    client.close();
    await plane.close();
  }
});

test('counters of the data threads are reported', async () => {
  const plane = await startTestPlane();
  await plane.apply([zone(), addresses('x.test.', [0], 1), unencodable()]);
  const [{ address, port }] = await plane.listen();
  const client = await udpClient(address, port);
  await client.ask(query('x.test.'));
  await client.ask(Uint8Array.of(1, 2, 3));
  client.close();
  const sample = (wanted: string, label: string) =>
    [...plane.counters()].find(({ name, labels = [] }) => name === wanted && labels.join() === label)?.value;
  assert.equal(sample('healthdns_dns_requests_total', 'udp,4'), 4); // each is followed by one that is always answered
  assert.equal(sample('healthdns_dns_request_type_total', 'A'), 1);
  assert.equal(sample('healthdns_dns_dropped_total', 'short'), 1);
  assert.equal(sample('healthdns_dns_responses_total', 'NOTIMP,own'), 2);
  assert.equal(sample('healthdns_names', ''), 1);
  assert.equal(sample('healthdns_changes_bad_total', ''), 1);
  assert.equal(sample('healthdns_data_threads', ''), 1);
  await plane.close();
});

/** How many files and sockets this process has open. */
function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

async function connected(address: string, port: number): Promise<Socket> {
  const socket = connect(port, address);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

function zone(): Change {
  return { kind: 'replace-zone', zone: ZONE };
}

function addresses(name: string, slots: readonly number[], third: number): Change {
  return replace(
    name,
    slots.map((slot, i) => ({ rdata: Uint8Array.of(10, 0, third, i), slot, weight: 1 })),
  );
}

/** Its rdata are longer than a record can have. */
function unencodable(): Change {
  return replace('long.test.', [{ rdata: new Uint8Array(70_000), slot: 0, weight: 1 }]);
}

function replace(name: string, records: RRset['records']): Change {
  const rrset = {
    type: 1,
    ttlSeconds: 5,
    records,
    routing: 'multivalue',
    maxAnswers: 0,
    whenAllUnhealthy: 'nodata',
  } as const;
  return { kind: 'replace-name', records: { name: parseName(name), rrsets: [rrset] } satisfies NameRecords };
}

function query(name: string): Uint8Array {
  return composeMessage({ id: 1, questions: [{ name: parseName(name), type: 1, class: 1 }] });
}

function addressesIn(response: Uint8Array | undefined): string[] {
  assert.ok(response, 'a response');
  return parseMessage(response)
    .answers.map(({ rdata }) => rdata.join('.'))
    .sort();
}
