import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatName } from '../../src/dns/name.ts';
import {
  clusterZone,
  instance,
  kubernetesService,
  POLICY,
  port,
  setUpZones,
  zoneConfig,
} from '../support/zone-setup.ts';

test('a change of one of many endpoints sends only the names that contain it', async () => {
  const { plane, state, zones } = setUpZones([clusterZone()]);
  const ports = [port('http', 80)];
  const many = Array.from({ length: 500 }, (_, i) => instance(`i${i}`, [`10.1.${i >> 8}.${i & 255}`], { ports }));
  const big = kubernetesService('prod/big', { ports });
  state(big, many);
  await zones.flush();
  plane.log.length = 0;
  state(big, [...many.slice(0, 7), instance('new', ['10.1.9.9'], { ports }), ...many.slice(8)]);
  await zones.flush();
  assert.deepEqual(plane.log.sort(), [
    'remove-name 10-1-0-7.big.prod.svc.cluster.local.',
    'remove-name 7.0.1.10.in-addr.arpa.',
    'replace-name 10-1-9-9.big.prod.svc.cluster.local.',
    'replace-name 9.1.10.in-addr.arpa.',
    'replace-name 9.9.1.10.in-addr.arpa.',
    'replace-name cluster.local.',
    'replace-name in-addr.arpa.',
    'replace-parts _http._tcp.big.prod.svc.cluster.local.',
    'replace-parts big.prod.svc.cluster.local.',
  ]);
  plane.log.length = 0;
  await zones.flush();
  assert.deepEqual(plane.log, []);
});

test('a zone becomes ready only after its pending names, and its reverse zone waits for it', async () => {
  const { plane, state, zones } = setUpZones([clusterZone()], { namesPerPass: 1 });
  await zones.flush();
  const ready = () => [...plane.zones].map(([name, zone]) => `${name} ${zone.ready}`).sort();
  assert.deepEqual(ready(), ['cluster.local. false', 'in-addr.arpa. false', 'ip6.arpa. false']);
  for (const name of ['a', 'b', 'c']) state(kubernetesService(`prod/${name}`), [instance(name, ['10.1.0.1'])]);
  zones.setState('cluster.local.', { ready: true, stale: false });
  plane.log.length = 0;
  await zones.flush();
  assert.deepEqual(ready(), ['cluster.local. true', 'in-addr.arpa. true', 'ip6.arpa. true']);
  const kinds = plane.log.map((line) => line.split(' ')[0]);
  assert.ok(kinds.indexOf('replace-zone') > kinds.lastIndexOf('replace-name'));
});

test('a zone that becomes unready is announced before its names go', async () => {
  const { plane, state, zones, registry } = setUpZones([clusterZone()], { namesPerPass: 1 });
  const services = ['a', 'b', 'c'].map((name) => kubernetesService(`prod/${name}`));
  for (const service of services) state(service, [instance('a', ['10.1.0.1'])]);
  zones.setState('cluster.local.', { ready: true, stale: true });
  await zones.flush();
  const { apply } = plane;
  const seen: boolean[] = [];
  Object.assign(plane, {
    apply(changes: Parameters<typeof apply>[0]) {
      const applied = apply(changes);
      if (changes.some(({ kind }) => kind === 'remove-name')) seen.push(plane.zones.get('cluster.local.')!.ready);
      return applied;
    },
  });
  state(kubernetesService('prod/d'), []);
  const running = zones.flush(); // its end must not say what its beginning knew
  for (const { key } of services) {
    registry.removeGroup(key);
    registry.removeService(key);
  }
  zones.setState('cluster.local.', { ready: false, stale: false });
  await running;
  await zones.flush();
  assert.ok(seen.length > 1 && !seen.includes(true), String(seen));
  assert.deepEqual(
    [...plane.zones.values()].map(({ ready, stale }) => [ready, stale]),
    [...plane.zones].map(() => [false, false]),
  );
});

type Plane = ReturnType<typeof setUpZones>['plane'];

function serialOf(plane: Plane, zone: string): number {
  const soa = plane.names.get(zone)?.rrsets.find(({ type }) => type === 6)?.records[0].rdata;
  assert.ok(soa);
  return new DataView(soa.buffer, soa.byteOffset + soa.length - 20).getUint32(0);
}

test('the serial of a zone grows with every change, also within one second', async () => {
  const { plane, state, zones, clock } = setUpZones([zoneConfig('example.org.')]);
  const serial = () => serialOf(plane, 'example.org.');
  const service = kubernetesService('prod/api', { zone: 'example.org.' });
  const seen: number[] = [];
  for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.2', '10.0.0.3']) {
    state(service, [instance('a', [address])]);
    await zones.flush();
    seen.push(serial());
  }
  assert.ok(seen[0] < seen[1] && seen[1] === seen[2] && seen[2] < seen[3], String(seen));
  await clock.advance(3_600_000);
  state(service, []);
  await zones.flush();
  assert.equal(serial(), Math.floor(clock.now() / 1000));
});

test('a reload moves the serials of the zones that it changes, and no other', async () => {
  const record = (value: string) => ({ name: `${value}.example.org.`, type: 'A', ttlSeconds: 5, value: '192.0.2.1' });
  const zones = (value: string) => [zoneConfig('example.org.', { records: [record(value)] }), clusterZone()];
  const served = setUpZones(zones('a'));
  const serials = () => ['example.org.', 'cluster.local.', 'in-addr.arpa.'].map((zone) => serialOf(served.plane, zone));
  await served.zones.flush();
  const before = serials();
  await served.clock.advance(3_600_000);
  served.plane.log.length = 0;
  served.zones.reload(zones('a'));
  await served.zones.flush();
  assert.deepEqual(serials(), before);
  assert.deepEqual(served.plane.log, []);
  served.zones.reload(zones('b'));
  await served.zones.flush();
  assert.deepEqual(serials(), [Math.floor(served.clock.now() / 1000), ...before.slice(1)]);
});

test('adding or removing a zone moves the serial of the zone above it, and of no other', async () => {
  const beside = [zoneConfig('example.org.'), clusterZone()];
  const served = setUpZones(beside);
  const serials = () => ['example.org.', 'cluster.local.', 'in-addr.arpa.'].map((zone) => serialOf(served.plane, zone));
  await served.zones.flush();
  const before = serials();
  const reload = async (...more: readonly ReturnType<typeof zoneConfig>[]) => {
    await served.clock.advance(3_600_000);
    served.zones.reload([...beside, ...more]);
    await served.zones.flush();
    return serials();
  };
  const nowSeconds = () => Math.floor(served.clock.now() / 1000);
  assert.deepEqual(await reload(zoneConfig('example.net.')), before);
  assert.deepEqual(await reload(), before);
  assert.deepEqual(await reload(zoneConfig('sub.example.org.')), [nowSeconds(), ...before.slice(1)]);
  assert.deepEqual(await reload(), [nowSeconds(), ...before.slice(1)]);
});

test('a slot is released when the data plane has dropped its records, and not before', async () => {
  const { plane, state, zones } = setUpZones([clusterZone()]);
  const service = kubernetesService('prod/web');
  state(service, [instance('a', ['10.1.0.1'])]);
  await zones.flush();
  assert.equal(plane.slots.inUse(), 1);
  state(service, [instance('b', ['10.1.0.2'])]);
  assert.equal(plane.slots.inUse(), 2);
  await zones.flush();
  assert.equal(plane.slots.inUse(), 1);
});

test('a zone removed from the configuration goes with its names and reverse zones', async () => {
  const { plane, state, zones, registry } = setUpZones([clusterZone(), zoneConfig('example.org.')]);
  const service = kubernetesService('prod/web');
  state(service, [instance('a', ['10.1.0.1'])]);
  await zones.flush();
  registry.removeGroup(service.key);
  registry.removeService(service.key);
  zones.reload([zoneConfig('example.org.')]);
  await zones.flush();
  assert.deepEqual([...plane.zones.keys()], ['example.org.']);
  assert.deepEqual([...plane.names.keys()].sort(), ['dns.example.org.', 'example.org.', 'ns.dns.example.org.']);
  assert.equal(zones.size().zones, 1);
});

test('onDirty is called once for many changes, and again after a flush', async () => {
  const { state, zones, dirty } = setUpZones([clusterZone()]);
  await zones.flush();
  const before = dirty.length;
  for (const name of ['a', 'b', 'c']) state(kubernetesService(`prod/${name}`), [instance(name, ['10.1.0.1'])]);
  assert.equal(dirty.length, before + 1);
  await zones.flush();
  state(kubernetesService('prod/d'), []);
  assert.equal(dirty.length, before + 2);
});

test('an address that a second instance begins to share is sent again with the shared slot', async () => {
  const { plane, state, zones, registry } = setUpZones([zoneConfig('example.org.')]);
  const service = kubernetesService('prod/api', { source: 'static', zone: 'example.org.', names: ['{service}'] });
  const slotOf = (name: string) => plane.names.get(name)?.rrsets.find(({ type }) => type === 1)?.records[0].slot;
  state(service, [instance('a', ['10.0.0.1'])]);
  await zones.flush();
  const alone = slotOf('api.example.org.');
  state(service, [instance('a', ['10.0.0.1']), instance('b', ['10.0.0.1'])]);
  await zones.flush();
  const [first] = registry.service(service.key)?.instances.values() ?? [];
  assert.equal(alone, first.slot);
  assert.equal(slotOf('api.example.org.'), registry.service(service.key)?.slotFor(first, '10.0.0.1'));
  assert.notEqual(slotOf('api.example.org.'), alone);
  assert.equal(slotOf('a.api.example.org.'), alone, 'at its own name an instance speaks for itself');
});

test('a flush does not wait for changes made while it runs', async () => {
  const { plane, state, zones, dirty } = setUpZones([clusterZone()]);
  const apply = plane.apply;
  let stated = 0;
  const sourceThatNeverRests: typeof apply = (changes) => {
    state(kubernetesService(`prod/later-${stated++}`), [instance('a', ['10.1.0.1'])]);
    return apply(changes);
  };
  Object.assign(plane, { apply: sourceThatNeverRests });
  state(kubernetesService('prod/first'), [instance('a', ['10.1.0.1'])]);
  await zones.flush();
  const published = [...plane.names.keys()].filter((name) => /^(first|later-\d+)\.prod/.test(name));
  assert.deepEqual(published, ['first.prod.svc.cluster.local.']);
  assert.ok(stated > 0 && dirty.length > 1, 'the next flush was asked for');
});

test('a pass is compiled while the threads apply the previous one, and the flush waits for all', async () => {
  const { plane, state, zones } = setUpZones([clusterZone()], { namesPerPass: 1 });
  await zones.flush();
  const applied: (() => void)[] = [];
  Object.assign(plane, { apply: () => new Promise<void>((resolve) => applied.push(resolve)) });
  for (const name of ['a', 'b', 'c']) state(kubernetesService(`prod/${name}`), [instance(name, ['10.1.0.1'])]);
  let isDone = false;
  const flushed = zones.flush().then(() => {
    isDone = true;
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  assert.deepEqual([applied.length, isDone], [2, false], 'no more than two are under way');
  let passes = 0;
  while (!isDone) {
    assert.ok(applied.length > 0 && passes < 20, 'it waits for what is under way only');
    applied.shift()?.();
    passes++;
    await turn();
  }
  await flushed;
  assert.deepEqual(applied, []);
  assert.ok(passes >= 3);
});

test('the name of a zone that was added and removed during a flush is gone with it', async () => {
  const { plane, state, zones } = setUpZones([clusterZone()], { namesPerPass: 1 });
  state(kubernetesService('prod/web'), []);
  const running = zones.flush();
  const other = zoneConfig('example.org.', { reverse: ['10.in-addr.arpa.'] });
  zones.reload([clusterZone('cluster.local.', { reverse: [] }), other]);
  state(kubernetesService('prod/web', { zone: 'example.org.' }), [instance('a', ['10.1.0.1'])]);
  await running;
  zones.reload([zoneConfig('local.')]);
  await zones.flush();
  assert.deepEqual(
    [...plane.names.keys()].filter((name) => name.endsWith('arpa.')),
    [],
  );
});

test('a service leaves no name behind, however many it has', async () => {
  const { plane, state, zones, registry } = setUpZones([clusterZone()]);
  await zones.flush();
  const before = plane.text();
  // With and without a name for its port: any number of names, odd or even.
  const services = Array.from({ length: 100 }, (_, n) => kubernetesService(`prod/s${n}`));
  for (const [n, service] of services.entries()) {
    const ports = n % 2 === 0 ? [] : [port('http', 80)];
    const instances = Array.from({ length: n >> 1 }, (_, i) => instance(`i${i}`, [`10.${n}.0.${i}`], { ports }));
    state({ ...service, ports }, instances);
  }
  await zones.flush();
  assert.ok(plane.names.size > 2_000);
  for (const { key } of services) {
    registry.removeGroup(key);
    registry.removeService(key);
  }
  await zones.flush();
  assert.equal(plane.text(), before);
});

test('a large service that shrinks in steps between two flushes leaves no name behind when it goes', async () => {
  const { plane, registry, state, zones } = setUpZones([clusterZone()], { splitFrom: 4 });
  await zones.flush();
  const without = plane.text();
  const web = kubernetesService('a/web');
  const some = (count: number) => Array.from({ length: count }, (_, i) => instance(`i${i}`, [`10.0.0.${i + 1}`]));
  state(web, some(4));
  await zones.flush();
  for (const count of [3, 2, 1]) registry.replaceGroup(web.key, web.key, some(count));
  await zones.flush();
  registry.removeGroup(web.key);
  registry.removeService(web.key);
  await zones.flush();
  assert.equal(plane.text(), without);
});

test('after a large service has lost all instances in steps, every new service is published', async () => {
  const { plane, registry, state, zones } = setUpZones([clusterZone()], { splitFrom: 2 });
  const [web, one, two] = ['web', 'one', 'two'].map((name) => kubernetesService(`a/${name}`));
  state(web, [instance('h', ['10.0.0.1']), instance('i', ['10.0.0.2'])]);
  await zones.flush();
  registry.replaceGroup(web.key, web.key, [instance('h', ['10.0.0.1'])]);
  registry.replaceGroup(web.key, web.key, []);
  await zones.flush();
  state(one, [instance('k', ['10.0.0.3'])]);
  state(two, [instance('l', ['10.0.0.4'])]);
  await zones.flush();
  const addresses = (name: string) => plane.text().match(new RegExp(`(?<=^${name}\\.a\\S+ 5 A )\\S+`, 'gm'));
  assert.deepEqual([addresses('one'), addresses('two')], [['10.0.0.3'], ['10.0.0.4']]);
});

test('static records that come after services are all published, also between and below names of services', async () => {
  const { plane, state, zones } = setUpZones([clusterZone()]);
  for (const name of ['host7', 'host19', 'host33'])
    state(kubernetesService(`a/${name}`), [instance(name, ['10.0.0.1'])]);
  // Answered as a name that does not exist, while there is nothing below it.
  state(kubernetesService('a/empty', { policy: { ...POLICY, whenAllUnhealthy: 'nxdomain' }, ignoreEmpty: true }), []);
  await zones.flush();
  plane.log.length = 0;
  const names = [...Array.from({ length: 40 }, (_, i) => `host${i}`), 'below.empty'];
  const records = names.map((name) => ({
    ...{ name: `${name}.a.svc.cluster.local.`, type: 'TXT', value: '"x"', ttlSeconds: 60 },
  }));
  zones.reload([clusterZone('cluster.local.', { records })]);
  await zones.flush();
  const expected = [...names, 'empty'].map((name) => `replace-name ${name}.a.svc.cluster.local.`);
  assert.deepEqual(plane.log.sort(), ['replace-name cluster.local.', ...expected].sort());
});

test('static records of names that nothing else has cross as they are packed', async () => {
  const records = Array.from({ length: 40 }, (_, i) => ({
    ...{ name: `host${i}.cluster.local.`, type: 'TXT', value: '"x"', ttlSeconds: 60 },
  }));
  const { plane, zones } = setUpZones([clusterZone('cluster.local.', { records })]);
  const single: string[] = [];
  const { apply } = plane;
  plane.apply = (changes) => {
    for (const change of changes) if (change.kind === 'replace-name') single.push(formatName(change.records.name));
    return apply(changes);
  };
  await zones.flush();
  assert.deepEqual(
    single.filter((name) => name.startsWith('host')),
    [],
  );
  assert.equal([...plane.names.keys()].filter((name) => name.startsWith('host')).length, 40);
});

test('a name between a zone and one far below it exists while there are both', async () => {
  const below = zoneConfig('deep.a.b.example.');
  const { plane, zones } = setUpZones([below]);
  await zones.flush();
  const between = () => [...plane.names.keys()].filter((name) => name === 'a.b.example.' || name === 'b.example.');
  assert.deepEqual(between(), []);
  zones.reload([below, zoneConfig('example.')]);
  await zones.flush();
  assert.deepEqual(between().sort(), ['a.b.example.', 'b.example.']);
  zones.reload([below]);
  await zones.flush();
  assert.deepEqual(between(), []);
});
