import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../src/dns/ip.ts';
import { parseName } from '../../src/dns/name.ts';
import { createPodAddresses, type StrayPod } from '../../src/history/pod-addresses.ts';
import { createTopQueries } from '../../src/history/top-queries.ts';
import { topEndpoint, topReading } from '../../src/http/top.ts';
import { encodeTally, type Tally } from '../../src/plane/tally.ts';
import { POD } from '../../src/registry/reference.ts';
import { createRegistry } from '../../src/registry/registry.ts';
import { fakeClock } from '../support/fake-clock.ts';
import { fakeSlots } from '../support/fake-slots.ts';
import { instance, service } from '../support/model.ts';

const heavy = (key: Uint8Array, count: number) => ({ key, count, error: 0 });
const name = (text: string, count: number) => heavy(parseName(text), count);

function tally(views: Partial<Tally['views']>, queries = 100, seconds = 5): ArrayBuffer {
  return encodeTally({ seconds, queries, views: { names: [], clients: [], nxdomain: [], servfail: [], ...views } });
}

const keys = (entries: readonly { key: Uint8Array; count: number }[]) =>
  entries.map(
    ({ key, count }) =>
      `${Buffer.from(key)
        .toString('latin1')
        .replaceAll(/[^a-z]/g, '')} ${count}`,
  );

test('the tallies of threads and times are added up, and forgotten after a minute and an hour', async () => {
  const clock = fakeClock();
  const top = createTopQueries(clock);
  await clock.advance(5_000);
  top.add(tally({ names: [name('a.', 30), name('b.', 20)] }));
  top.add(tally({ names: [name('b.', 20)] }));
  assert.deepEqual(keys(top.top('names', 'minute', 10).entries), ['b 40', 'a 30']);
  assert.deepEqual(keys(top.top('names', 'minute', 1).entries), ['b 40']);
  await clock.advance(50_000);
  top.add(tally({ names: [name('a.', 15)] }));
  const { seconds, queries, entries } = top.top('names', 'minute', 10);
  assert.deepEqual([seconds, queries, keys(entries)], [55, 300, ['a 45', 'b 40']]);
  await clock.advance(10_000);
  assert.deepEqual(keys(top.top('names', 'minute', 10).entries), ['a 15']);
  assert.deepEqual(keys(top.top('names', 'hour', 10).entries), ['a 45', 'b 40']);
  await clock.advance(3_600_000);
  assert.deepEqual(top.top('names', 'hour', 10), { seconds: 0, queries: 0, entries: [] });
});

test('a hundred thousand names in an hour are kept within bounds, beside the frequent ones', async () => {
  const clock = fakeClock();
  const top = createTopQueries(clock);
  for (let i = 0; i < 100; i++) {
    const rare = Array.from({ length: 1_000 }, (_, j) => name(`r${i}-${j}.`, 1));
    top.add(tally({ names: [...rare, name('frequent.', 50)] }));
    await clock.advance(5_000);
  }
  const { entries } = top.top('names', 'hour', 1_000_000);
  assert.ok(entries.length < 12_000, `${entries.length}`);
  assert.deepEqual(keys(entries.slice(0, 1)), ['frequent 5000']);
});

function views(clients: readonly string[], strays: StrayPod[] = []) {
  const clock = fakeClock();
  const registry = createRegistry(fakeSlots());
  const pod = (one: string, address: string) => instance(one, address, { subjects: [POD.format('c', 'shop', one)] });
  const replace = (key: string, ...pods: (readonly [string, string])[]) => {
    registry.replaceService(service(key, { key }));
    registry.replaceGroup(
      key,
      key,
      pods.map(([one, address]) => pod(one, address)),
    );
  };
  const top = createTopQueries(clock);
  top.add(
    tally({
      clients: clients.map((client, i) => heavy(parseIp(client)!, 100 - i)),
      nxdomain: [name('a\\027[31m<b>.', 9)],
      servfail: [name('seldom.example.', 1)],
    }),
  );
  const read = topReading(
    top,
    createPodAddresses(registry, () => strays, clock),
  );
  const owners = () =>
    read('clients', 'minute', 10).entries.map((line) =>
      line.pod === undefined ? '-' : `${line.namespace}/${line.pod}`,
    );
  return { clock, replace, read, owners };
}

test('a client has the name of the pod at its address, of any service or none, as long as only one pod has it', async () => {
  const strays = [{ address: '10.0.0.3', namespace: 'jobs', pod: 'job-1' }];
  const { replace, owners, clock } = views(['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.9'], strays);
  replace('web', ['web-1', '10.0.0.1'], ['proxy-1', '10.0.0.2'], ['proxy-2', '10.0.0.2']);
  replace('all', ['web-1', '10.0.0.1']);
  assert.deepEqual(owners(), ['shop/web-1', '-', 'jobs/job-1', '-']);
  replace('web', ['web-2', '10.0.0.9']);
  strays.pop();
  await clock.advance(2_000);
  assert.deepEqual(owners(), ['shop/web-1', '-', '-', 'shop/web-2'], 'the other service still has it');
  replace('all');
  assert.deepEqual(owners(), ['-', '-', '-', 'shop/web-2']);
});

test('the rate of a seldom name is not rounded to none', async () => {
  const { read, clock } = views([]);
  await clock.advance(45_000);
  const [seldom] = read('servfail', 'minute', 1).entries;
  assert.equal(seldom!.perSecond, 0.02);
});

test('the endpoint escapes hostile names, and refuses what it does not know', async () => {
  const { read } = views(['10.0.0.1']);
  const endpoint = topEndpoint(read, () => true);
  const ask = async (query: string, of = endpoint) => {
    const request = { method: 'GET', rest: '', headers: {}, boundTo: '127.0.0.1', body: Buffer.alloc(0) };
    const { status, body } = await of.handle({ ...request, query: new URLSearchParams(query) });
    return { status, body: String(body) };
  };
  const lists = JSON.parse((await ask('')).body);
  assert.deepEqual(
    lists.map(({ view }: { view: string }) => view),
    ['names', 'clients', 'nxdomain', 'servfail'],
  );
  assert.deepEqual(JSON.parse((await ask('view=nxdomain')).body)[0].entries, [
    { key: 'a\\027[31m<b>.', count: 9, error: 0, perSecond: 1.8 },
  ]);
  for (const query of ['view=x', 'over=day', 'limit=-1', 'limit=1e9', 'veiw=names'])
    assert.equal((await ask(query)).status, 400, query);
  assert.equal(
    (
      await ask(
        '',
        topEndpoint(read, () => false),
      )
    ).status,
    409,
  );
});
