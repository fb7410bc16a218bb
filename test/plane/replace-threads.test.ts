import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { composeMessage, parseMessage } from '../../src/dns/message/message.ts';
import { formatName, parseName } from '../../src/dns/name.ts';
import { FORWARD_DEFAULTS, type ForwardSettings, ROUTE_DEFAULTS } from '../../src/plane/forward-settings.ts';
import type { Change } from '../../src/plane/records.ts';
import { decodeTally } from '../../src/plane/tally.ts';
import { askTcp, startTestPlane, testSettings, udpClient } from '../support/transports.ts';

const linux = { skip: process.platform === 'linux' ? false : 'needs Linux' };
const RRSET = { type: 1, ttlSeconds: 5, routing: 'multivalue', maxAnswers: 0, whenAllUnhealthy: 'nodata' } as const;
const zone: Change = {
  kind: 'replace-zone',
  zone: { name: parseName('test.'), ready: true, stale: false, fallthrough: [] },
};
const changes: readonly Change[] = [
  zone,
  ...Array.from({ length: 1000 }, (_, i): Change => {
    const rdata = [{ rdata: Uint8Array.of(10, 0, i >> 8, i & 255), slot: 0, weight: 0 }];
    return {
      kind: 'replace-name',
      records: { name: parseName(`n${i}.test.`), rrsets: [{ ...RRSET, records: rdata }] },
    };
  }),
];

async function startFilled(settings: Parameters<typeof startTestPlane>[0]) {
  const plane = await startTestPlane(settings, () => changes);
  await plane.apply(changes);
  const [{ address, port }] = await plane.listen();
  return { plane, address, port };
}

for (const udp of ['batched', 'plain'] as const) {
  test(`new settings need new threads, which take the sockets over: UDP ${udp}`, linux, async (t) => {
    const { plane, address, port } = await startFilled({ udp });
    t.after(() => plane.close());
    const client = await udpClient(address, port);
    t.after(() => client.close());
    const version = async () => txtIn(await client.ask(question('version.bind.', 16, 3)));
    assert.equal(await version(), 'healthdns under test');
    const settings = testSettings({ udp });
    await plane.replaceThreads({ ...settings, responder: { ...settings.responder, versionBind: 'new' } });
    assert.equal(await version(), 'new');
    assert.equal(rcodeOf(await client.ask(question('n999.test.'))), 0);
    assert.equal(parseMessage((await askTcp(address, port, question('n1.test.')))!).answers.length, 1);
    assert.deepEqual(plane.listening()[0].port, port);
  });
}

test('names and clients counted by replaced threads are not lost', linux, async (t) => {
  const counting = testSettings({ udp: 'batched', topQueries: true });
  const { plane, address, port } = await startFilled(counting);
  let tallies = 0;
  let counted = 0;
  plane.observe({
    onQuery() {},
    onTally(bytes) {
      tallies++;
      for (const { count } of decodeTally(bytes).views.names) counted += count;
    },
  });
  const client = await udpClient(address, port);
  t.after(() => client.close());
  for (let i = 0; i < 20; i++) {
    await client.ask(question(`n${i}.test.`));
    if (i === 10) await plane.replaceThreads({ ...counting, responder: { ...counting.responder, versionBind: 'new' } });
  }
  await plane.close();
  assert.equal(counted, 20);
  assert.ok(tallies >= 2);
});

test('under load, one thread becomes three, then one: each query is answered, none wrongly', linux, async (t) => {
  const { plane, address, port } = await startFilled({ udp: 'batched' });
  t.after(() => plane.close());
  const clients = [1, 2, 3, 4].map(() => createSocket('udp4').bind(0, '127.0.0.1'));
  t.after(() => clients.map((client) => client.close()));
  let stop = false;
  let asked = 0;
  const wrong: unknown[] = [];
  const load = clients.map(async (client) => {
    while (!stop) {
      const response = once(client, 'message', { signal: AbortSignal.timeout(5_000) });
      client.send(question(`n${asked++ % 1000}.test.`), port, address);
      const rcode = await response.then(
        ([bytes]) => rcodeOf(bytes),
        () => 'lost',
      );
      if (rcode !== 0) wrong.push(rcode);
    }
  });
  for (const threads of [3, 1, 2, 1]) {
    await plane.replaceThreads(testSettings({ udp: 'batched', threads }));
    const readings = [...plane.counters()];
    assert.equal(readings.find(({ name }) => name === 'healthdns_data_threads')?.value, threads);
  }
  stop = true;
  await Promise.all(load);
  assert.deepEqual(wrong, []);
  const counted = [...plane.counters()]
    .filter(({ name }) => name === 'healthdns_dns_requests_total')
    .reduce((sum, { value }) => sum + (value as number), 0);
  assert.equal(counted, asked);
});

test(
  'an address that is added is bound before the old ones close; one that is in use changes nothing',
  linux,
  async (t) => {
    const { plane, address, port } = await startFilled({ udp: 'batched' });
    t.after(() => plane.close());
    const taken = createSocket('udp4').bind(0, '127.0.0.1');
    await once(taken, 'listening');
    t.after(() => taken.close());
    const client = await udpClient(address, port);
    t.after(() => client.close());
    const listen = (...more: { address: string; port: number }[]) =>
      testSettings({ udp: 'batched', listen: [{ address, port: 0 }, ...more] });
    const busy = { address: '127.0.0.1', port: taken.address().port };
    await assert.rejects(plane.replaceThreads(listen(busy)), /already in use/);
    assert.equal(rcodeOf(await client.ask(question('n5.test.'))), 0);
    assert.equal(plane.listening().length, 2);

    await plane.replaceThreads(listen({ address: '127.0.0.2', port: 0 }));
    const added = plane.listening().find((one) => one.address === '127.0.0.2');
    const other = await udpClient('127.0.0.2', added!.port);
    t.after(() => other.close());
    assert.equal(rcodeOf(await other.ask(question('n5.test.'))), 0);
    assert.equal(rcodeOf(await client.ask(question('n5.test.'))), 0);

    // The address belongs to this process alone again.
    const second = await startTestPlane({ udp: 'batched', listen: [{ address, port }] });
    t.after(() => second.close());
    await assert.rejects(second.listen(), /already in use/);
  },
);

test('clients that wait for an upstream get its answer from the threads that they asked', linux, async (t) => {
  const upstream = createSocket('udp4').bind(0, '127.0.0.1');
  await once(upstream, 'listening');
  t.after(() => upstream.close());
  let answer = () => {};
  const isAsked = new Promise<void>((resolve) => {
    upstream.on('message', (query, { port, address }) => {
      if (parseMessage(query).questions[0].name.length === 1) return;
      answer = () => {
        const { id, questions } = parseMessage(query);
        upstream.send(composeMessage({ id, flags: 0x8180, questions }), port, address);
      };
      resolve();
    });
  });
  const server = { address: '127.0.0.1', port: upstream.address().port, tls: undefined };
  const forward: ForwardSettings = {
    ...FORWARD_DEFAULTS,
    loopDetection: false,
    routes: [{ ...ROUTE_DEFAULTS, zone: '.', upstreams: [server] }],
  };
  const responder = { ...testSettings().responder, forwarding: true };
  const { plane, address, port } = await startFilled({ udp: 'batched', forward, responder });
  t.after(() => plane.close());
  const client = createSocket('udp4').bind(0, '127.0.0.1');
  t.after(() => client.close());
  const response = once(client, 'message');
  client.send(question('example.com.'), port, address);
  await isAsked;
  await plane.replaceThreads(testSettings({ udp: 'batched' }));
  await delay(50);
  answer();
  const [bytes] = await response;
  assert.equal(rcodeOf(bytes), 0);
});

test(
  'cached answers survive the replacement of threads, unless the new settings would change them',
  linux,
  async (t) => {
    const upstream = createSocket('udp4').bind(0, '127.0.0.1');
    await once(upstream, 'listening');
    t.after(() => upstream.close());
    let asked: string[] = [];
    upstream.on('message', (query, { port, address }) => {
      const { id, questions } = parseMessage(query);
      const [{ name }] = questions;
      if (name.length === 1) return;
      asked.push(formatName(name));
      const rdata = Uint8Array.of(192, 0, 2, 1);
      const answers = [{ name, type: 1, class: 1, ttlSeconds: 600, rdata }];
      upstream.send(composeMessage({ id, flags: 0x8180, questions, answers }), port, address);
    });
    const server = (at: string) => ({ address: at, port: upstream.address().port, tls: undefined });
    const route = (zone: string, at = '127.0.0.1') => ({ ...ROUTE_DEFAULTS, zone, upstreams: [server(at)] });
    const forward: ForwardSettings = {
      ...FORWARD_DEFAULTS,
      loopDetection: false,
      routes: [route('.'), route('b.example.')],
    };
    const settings = (changed: Partial<ForwardSettings>, threads = 1) =>
      testSettings({
        ...{ udp: 'batched', threads, forward: { ...forward, ...changed } },
        responder: { ...testSettings().responder, forwarding: true },
      });
    const { plane, address, port } = await startFilled(settings({}));
    t.after(() => plane.close());
    const names = ['a.example.', 'b.example.', 'c.example.'];
    const askAll = async () => {
      asked = [];
      for (const name of names) await askTcp(address, port, question(name));
      return asked.sort();
    };
    assert.deepEqual(await askAll(), names);
    assert.deepEqual(await askAll(), []);
    await plane.replaceThreads(settings({ cache: { ...FORWARD_DEFAULTS.cache, servfailTtlSeconds: 9 } }, 2));
    assert.deepEqual(await askAll(), [], 'every thread has it');
    const hosts = {
      files: [],
      entries: [{ address: '10.0.0.9', names: ['c.example.'] }],
      ttlSeconds: 5,
      reverse: false,
    };
    await plane.replaceThreads(settings({ hosts }));
    assert.deepEqual(await askAll(), []);
    const [stated] = parseMessage((await askTcp(address, port, question('c.example.')))!).answers;
    assert.deepEqual([...stated.rdata], [10, 0, 0, 9]);
    await plane.replaceThreads(settings({ routes: [route('.'), { ...route('b.example.'), upstreams: [] }] }));
    assert.deepEqual(
      await askAll(),
      ['c.example.'],
      'nothing remains of hosts, or of servers that are not asked any more',
    );
    await plane.replaceThreads(settings({ cache: { ...FORWARD_DEFAULTS.cache, maxTtlSeconds: 60 } }));
    assert.deepEqual(await askAll(), names, 'kept for longer than is permitted now');
  },
);

const question = (name: string, type = 1, of = 1) =>
  composeMessage({ id: 7, flags: 0, questions: [{ name: parseName(name), type, class: of }] });
const rcodeOf = (response: Uint8Array | undefined) => parseMessage(response!).rcode;
function txtIn(response: Uint8Array | undefined): string | undefined {
  const [record] = parseMessage(response!).answers;
  return record && Buffer.from(record.rdata.subarray(1)).toString();
}
